package daoperator

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/committee"
	"github.com/talaria-l2/talaria/store"
)

// Local is a committee in this process, on loopback, for development: its keys are in
// plain files. Close it.
type Local struct {
	dir       string
	homes     []*store.Dir
	keys      []*bls.SecretKey
	listeners []net.Listener // until Start
	urls      []string
	operators []*Operator
}

// Member is an operator before it is registered.
type Member struct {
	Account common.Address // of the operator on L1
	Key     *bls.SecretKey
	URL     string
}

// ListenLocal opens so many operators, 1..da.MaxOperators, with a directory operator-<i>
// each, where keys are made when they are not there yet. An operator comes back where it
// was the last time, if nobody else is there. Nothing is served before Start.
func ListenLocal(dir string, operators int) (*Local, error) {
	if operators < 1 || operators > da.MaxOperators {
		return nil, fmt.Errorf("committee of %d operators: allowed are 1 to %d", operators, da.MaxOperators)
	}
	l := &Local{dir: dir}
	for i := range operators {
		held, err := store.OpenDir(l.home(i))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("local operator %d: %w", i, err), l.Close())
		}
		l.homes = append(l.homes, held)
		key, err := localKey(filepath.Join(l.home(i), "key"))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("key of local operator %d: %w", i, err), l.Close())
		}
		listener, err := listenAgain(filepath.Join(l.home(i), "address"))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("address of local operator %d: %w", i, err), l.Close())
		}
		l.keys, l.listeners = append(l.keys, key), append(l.listeners, listener)
		l.urls = append(l.urls, "http://"+listener.Addr().String())
	}
	return l, nil
}

// LocalOperators is how many operators a directory of a local committee has.
func LocalOperators(dir string) int {
	n := 0
	for ; n < da.MaxOperators; n++ {
		if _, err := os.Stat(home(dir, n)); err != nil {
			break
		}
	}
	return n
}

func home(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("operator-%d", i)) }

func (l *Local) home(i int) string { return home(l.dir, i) }

func localKey(path string) (*bls.SecretKey, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		return bls.ParseSecretKey(raw)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key, err := bls.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	raw := key.Bytes()
	return key, da.WriteFile(path, []byte(hex.EncodeToString(raw[:])))
}

// listenAgain opens the address in a file, or any free one, and writes it there.
func listenAgain(path string) (net.Listener, error) {
	if text, err := os.ReadFile(path); err == nil {
		if l, err := net.Listen("tcp", strings.TrimSpace(string(text))); err == nil {
			return l, nil
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if err := da.WriteFile(path, []byte(l.Addr().String())); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Members are the operators in order, to be registered. Their accounts are made of their
// keys; nobody has the keys of these.
func (l *Local) Members() []Member {
	out := make([]Member, len(l.keys))
	for i, key := range l.keys {
		public := key.Public().Bytes()
		out[i] = Member{Account: common.BytesToAddress(crypto.Keccak256(public[:])), Key: key, URL: l.urls[i]}
	}
	return out
}

// Start runs the operators; source is where they are registered.
func (l *Local) Start(source committee.Source, log *slog.Logger) error {
	for i, key := range l.keys {
		listener := l.listeners[0]
		l.listeners = l.listeners[1:]
		o, err := Start(Options{
			Dir: l.home(i), Key: key, Source: source, Listener: listener, Log: log,
			Limits: da.Limits{RequestsPerSecond: 10_000, PerAddress: 256}, // everybody comes from one address here
		})
		if err != nil {
			return err
		}
		l.operators = append(l.operators, o)
	}
	return nil
}

// Operators are the running operators, to be stopped one by one if that is wanted.
func (l *Local) Operators() []*Operator { return l.operators }

// Close stops all operators.
func (l *Local) Close() error {
	var errs []error
	for _, listener := range l.listeners {
		errs = append(errs, listener.Close())
	}
	for _, o := range l.operators {
		errs = append(errs, o.Close())
	}
	for _, held := range l.homes {
		errs = append(errs, held.Close())
	}
	l.listeners, l.operators, l.homes = nil, nil, nil
	return errors.Join(errs...)
}
