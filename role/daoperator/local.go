package daoperator

import (
	"context"
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

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/committee"
)

// LocalOptions of a committee in this process.
type LocalOptions struct {
	Dir       string           // keys and chunks, required
	Operators int              // 1..da.MaxOperators [7]
	Source    committee.Source // where the committee is registered, required
	Log       *slog.Logger
}

// Local is a committee in this process, on loopback. Its ports are new with every start,
// so that Source names them instead of what is registered. Close it.
type Local struct {
	operators []*Operator
	source    committee.Source
}

// LocalKeys are the keys of a local committee, made when they are not there yet: to be
// registered before it starts. They are in plain files: this is for development.
func LocalKeys(dir string, operators int) ([]*bls.SecretKey, error) {
	if operators < 1 || operators > da.MaxOperators {
		return nil, fmt.Errorf("committee of %d operators: allowed are 1 to %d", operators, da.MaxOperators)
	}
	var keys []*bls.SecretKey
	for i := range operators {
		key, err := localKey(filepath.Join(dir, fmt.Sprintf("operator-%d", i), "key"))
		if err != nil {
			return nil, fmt.Errorf("key of local operator %d: %w", i, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

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

// StartLocal runs the operators.
func StartLocal(opts LocalOptions) (*Local, error) {
	if opts.Operators == 0 {
		opts.Operators = 7
	}
	keys, err := LocalKeys(opts.Dir, opts.Operators)
	if err != nil {
		return nil, err
	}
	l := new(Local)
	l.source = localSource{inner: opts.Source, local: l}
	for i, key := range keys {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen: %w", err), l.Close())
		}
		o, err := Start(Options{
			Dir: filepath.Join(opts.Dir, fmt.Sprintf("operator-%d", i)), Key: key, Source: opts.Source, Listener: listener, Log: opts.Log,
			// Everybody comes from one address here.
			Limits: da.Limits{RequestsPerSecond: 10_000},
		})
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
		l.operators = append(l.operators, o)
	}
	return l, nil
}

// Operators are the running operators, to be stopped one by one if that is wanted.
func (l *Local) Operators() []*Operator { return l.operators }

// Source gives the registered committees with the URLs of this process.
func (l *Local) Source() committee.Source { return l.source }

// Close stops all operators.
func (l *Local) Close() error {
	var errs []error
	for _, o := range l.operators {
		errs = append(errs, o.Close())
	}
	return errors.Join(errs...)
}

// localSource puts loopback URLs in place of registered ones.
type localSource struct {
	inner committee.Source
	local *Local
}

// Committee implements committee.Source.
func (s localSource) Committee(ctx context.Context, epoch uint64) (*committee.Committee, error) {
	c, err := s.inner.Committee(ctx, epoch)
	return s.here(c), err
}

// Latest implements committee.Source.
func (s localSource) Latest(ctx context.Context) (*committee.Committee, error) {
	c, err := s.inner.Latest(ctx)
	return s.here(c), err
}

func (s localSource) here(c *committee.Committee) *committee.Committee {
	if c == nil {
		return nil
	}
	out := *c
	out.Operators = append([]committee.Operator(nil), c.Operators...)
	for _, o := range s.local.operators {
		if i := out.Find(o.public); i >= 0 {
			out.Operators[i].URL = o.URL()
		}
	}
	return &out
}
