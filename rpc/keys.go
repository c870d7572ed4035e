package rpc

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Keys are the API keys of a file. A key is known by its SHA-256 only, so neither
// memory nor the time of a comparison tells it.
type Keys struct {
	path string
	set  atomic.Pointer[map[[sha256.Size]byte]*apiKey]
}

// apiKey is one line of the file.
type apiKey struct {
	name   string
	hash   [sha256.Size]byte
	bucket *bucket // nil: no limit
}

// LoadKeys reads a file of API keys. A line is
//
//	name key rate burst
//
// where the key is 16 to 128 characters, or sha256: and the 64 hex digits of its hash,
// the rate is cost units a second (0: no limit) and the burst is how many units may
// come at once. Empty lines and lines that begin with # are passed over.
func LoadKeys(path string) (*Keys, error) {
	k := &Keys{path: path}
	if _, err := k.Reload(); err != nil {
		return nil, err
	}
	return k, nil
}

// Reload reads the file again and returns how many keys it has. What a key has used of
// its limit stays used. After an error the keys are what they were.
func (k *Keys) Reload() (int, error) {
	raw, err := os.ReadFile(k.path)
	if err != nil {
		return 0, fmt.Errorf("read API keys: %w", err)
	}
	old := map[string]*bucket{}
	if set := k.set.Load(); set != nil {
		for _, key := range *set {
			old[key.name] = key.bucket
		}
	}
	set := map[[sha256.Size]byte]*apiKey{}
	names := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		key, err := parseKey(strings.Fields(line), old)
		switch {
		case err != nil:
			return 0, fmt.Errorf("API keys %s, line %d: %w", k.path, number, err)
		case names[key.name], set[key.hash] != nil:
			return 0, fmt.Errorf("API keys %s, line %d: name or key comes twice", k.path, number)
		}
		names[key.name] = true
		set[key.hash] = key
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("read API keys: %w", err)
	}
	k.set.Store(&set)
	return len(set), nil
}

func parseKey(fields []string, old map[string]*bucket) (*apiKey, error) {
	if len(fields) != 4 {
		return nil, errors.New("want: name key rate burst")
	}
	k := &apiKey{name: fields[0]}
	if digits, ok := strings.CutPrefix(fields[1], "sha256:"); ok {
		if n, err := hex.Decode(k.hash[:], []byte(digits)); err != nil || n != len(k.hash) || len(digits) != 2*n {
			return nil, errors.New("want 64 hex digits after sha256:")
		}
	} else {
		if len(fields[1]) < 16 || len(fields[1]) > maxKeyLen {
			return nil, fmt.Errorf("want a key of 16 to %d characters", maxKeyLen)
		}
		k.hash = sha256.Sum256([]byte(fields[1]))
	}
	rate, err := strconv.ParseUint(fields[2], 10, 32)
	if err != nil {
		return nil, errors.New("rate: want a whole number of cost units a second")
	}
	burst, err := strconv.ParseUint(fields[3], 10, 32)
	if err != nil || rate > 0 && burst == 0 {
		return nil, errors.New("burst: want a whole number of cost units above 0")
	}
	if rate > 0 {
		if k.bucket = old[k.name]; k.bucket == nil {
			k.bucket = new(bucket)
		}
		k.bucket.limit("key "+k.name, float64(rate), float64(burst))
	}
	return k, nil
}

const maxKeyLen = 128

// find returns the key, nil when there is none like it.
func (k *Keys) find(key []byte) *apiKey {
	if len(key) > maxKeyLen {
		return nil
	}
	hash := sha256.Sum256(key)
	found := (*k.set.Load())[hash]
	if found == nil || subtle.ConstantTimeCompare(found.hash[:], hash[:]) != 1 {
		return nil
	}
	return found
}

// Sender is who sends over a connection that is not one of the server, such as raw
// ingest's.
type Sender struct {
	Name string // of its key; empty: nobody in particular
	// Book counts n transactions and returns how long they have to wait for the key's
	// rate. Nil: no limit.
	Book func(n int) time.Duration
}

// Authorize says who sends with that key. Without keys, everybody is nobody in
// particular; so is who sends none, unless one is required.
func (o *Options) Authorize(key string) (Sender, error) {
	switch {
	case o.Keys == nil:
		return Sender{}, nil
	case key == "" && o.RequireKey:
		return Sender{}, errors.New("this node wants an API key")
	case key == "":
		return Sender{}, nil
	}
	found := o.Keys.find([]byte(key))
	if found == nil {
		return Sender{}, errors.New("unknown API key")
	}
	sender := Sender{Name: found.name}
	if found.bucket != nil {
		cost := max(o.Costs.Send, 1)
		sender.Book = func(n int) time.Duration { return found.bucket.book(n*cost, time.Now().UnixNano()) }
	}
	return sender, nil
}

// client is who asks, and what he may.
type client struct {
	name   string
	asker  asker
	admin  bool
	bucket *bucket // nil: no limit
	why    string  // he is no admin although he sent a token
}

// CodeUnauthorized refuses what needs a key or the operator's token.
const CodeUnauthorized = -32001

// identify finds out who sent the head: by X-Api-Key, a bearer token, or the path
// /v1/<key>.
func (s *Server) identify(h *head, l *link) (client, *refusal) {
	who := client{bucket: l.home.bucket, asker: asker{peer: l.peer}}
	key := h.apiKey
	if token, ok := bearer(h.auth); ok {
		if bytes.Count(token, []byte(".")) == 2 {
			if err := s.checkToken(token); err != nil {
				who.why = err.Error()
			} else {
				who.admin = true
			}
		} else if key == nil {
			key = token
		}
	}
	if path, ok := bytes.CutPrefix(h.path, []byte("/v1/")); ok && key == nil && len(path) > 0 {
		key = path
	}
	if s.opts.Keys == nil {
		return who, nil
	}
	if key == nil {
		if s.opts.RequireKey && !who.admin {
			return who, &refusal{401, Errorf(CodeUnauthorized, "this node wants an API key: send it as X-Api-Key, as Authorization: Bearer, or in the path /v1/<key>")}
		}
		return who, nil
	}
	found := s.opts.Keys.find(key)
	if found == nil {
		return who, &refusal{401, Errorf(CodeUnauthorized, "unknown API key: check it, or ask the operator for one")}
	}
	who.name, who.bucket, who.asker = found.name, found.bucket, asker{key: found.name}
	return who, nil
}

func bearer(auth []byte) ([]byte, bool) {
	const scheme = "bearer "
	if len(auth) < len(scheme) || !isName(auth[:len(scheme)], scheme) {
		return nil, false
	}
	return trimBlank(auth[len(scheme):]), true
}
