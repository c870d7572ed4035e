package committee

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
)

// registryABI is what is used of the OperatorRegistry, and, the last two, of the
// CertificateVerifier.
const registryABI = `[
{"type":"function","name":"register","stateMutability":"nonpayable","inputs":[{"type":"address"},{"type":"bytes"},{"type":"bytes"},{"type":"string"}],"outputs":[]},
{"type":"function","name":"setWeight","stateMutability":"nonpayable","inputs":[{"type":"address"},{"type":"uint64"}],"outputs":[]},
{"type":"function","name":"sealEpoch","stateMutability":"nonpayable","inputs":[],"outputs":[{"type":"uint64"}]},
{"type":"function","name":"latestEpoch","stateMutability":"view","inputs":[],"outputs":[{"type":"uint64"}]},
{"type":"function","name":"snapshot","stateMutability":"view","inputs":[{"type":"uint64"}],"outputs":[{"type":"bytes"}]},
{"type":"function","name":"contacts","stateMutability":"view","inputs":[{"type":"uint64"}],"outputs":[{"type":"address[]"},{"type":"string[]"}]},
{"type":"function","name":"registry","stateMutability":"view","inputs":[],"outputs":[{"type":"address"}]},
{"type":"function","name":"threshold","stateMutability":"view","inputs":[],"outputs":[{"type":"uint16"}]}]`

// Caller calls contracts; ethclient.Client is one.
type Caller interface {
	CallContract(ctx context.Context, msg ethereum.CallMsg, block *big.Int) ([]byte, error)
}

// Callers ask several endpoints of one L1 in order, until one answers.
type Callers []Caller

// CallContract implements Caller.
func (c Callers) CallContract(ctx context.Context, msg ethereum.CallMsg, block *big.Int) ([]byte, error) {
	var errs []error
	for _, one := range c {
		out, err := one.CallContract(ctx, msg, block)
		if err == nil {
			return out, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// RegistryOptions say where the committees are. The zero value of a field means its
// default.
type RegistryOptions struct {
	L1        Caller         // required
	Verifier  common.Address // required
	Registry  common.Address // [the one that the verifier names]
	L1ChainID uint64
	L2ChainID uint64
	// LatestFor is how long an answer about the newest epoch is used, and an epoch beyond
	// it not asked for again [3 s].
	LatestFor  time.Duration
	ContactFor time.Duration // how long URLs are used [30 s]
	Now        func() time.Time
}

// Registry is a Source that reads the OperatorRegistry on L1. Safe for concurrent use.
type Registry struct {
	opts RegistryOptions
	abi  abi.ABI

	mu       sync.Mutex
	at       common.Address // of the registry; zero: not asked for yet
	latest   uint64
	latestAt time.Time
	known    map[uint64]knownCommittee
}

type knownCommittee struct {
	members *Committee
	at      time.Time
}

// NewRegistry reads nothing yet.
func NewRegistry(opts RegistryOptions) (*Registry, error) {
	parsed, err := abi.JSON(strings.NewReader(registryABI))
	if err != nil {
		return nil, fmt.Errorf("operator registry: %w", err)
	}
	opts.LatestFor = withDefault(opts.LatestFor, 3*time.Second)
	opts.ContactFor = withDefault(opts.ContactFor, 30*time.Second)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Registry{opts: opts, abi: parsed, at: opts.Registry, known: make(map[uint64]knownCommittee)}, nil
}

// Address is the registry's.
func (r *Registry) Address(ctx context.Context) (common.Address, error) {
	r.mu.Lock()
	at := r.at
	r.mu.Unlock()
	if at != (common.Address{}) {
		return at, nil
	}
	if err := r.call(ctx, r.opts.Verifier, []any{&at}, "registry"); err != nil {
		return at, err
	}
	r.mu.Lock()
	r.at = at
	r.mu.Unlock()
	return at, nil
}

// Latest implements Source.
func (r *Registry) Latest(ctx context.Context) (*Committee, error) {
	epoch, err := r.newest(ctx)
	if err != nil {
		return nil, err
	}
	if epoch == 0 {
		return nil, fmt.Errorf("operator registry: %w: no epoch has been sealed", da.ErrUnavailable)
	}
	return r.Committee(ctx, epoch)
}

// newest is the newest epoch, 0 before the first.
func (r *Registry) newest(ctx context.Context) (uint64, error) {
	r.mu.Lock()
	epoch, at := r.latest, r.latestAt
	r.mu.Unlock()
	if !at.IsZero() && r.opts.Now().Sub(at) < r.opts.LatestFor {
		return epoch, nil
	}
	registry, err := r.Address(ctx)
	if err != nil {
		return 0, err
	}
	if err := r.call(ctx, registry, []any{&epoch}, "latestEpoch"); err != nil {
		return 0, err
	}
	r.mu.Lock()
	r.latest, r.latestAt = epoch, r.opts.Now()
	r.mu.Unlock()
	return epoch, nil
}

// Committee implements Source. An epoch never changes once sealed, only URLs do: they
// are read again from time to time, and old ones serve while L1 is away.
func (r *Registry) Committee(ctx context.Context, epoch uint64) (*Committee, error) {
	r.mu.Lock()
	known, ok := r.known[epoch]
	r.mu.Unlock()
	if ok && r.opts.Now().Sub(known.at) < r.opts.ContactFor {
		return known.members, nil
	}
	members, err := r.read(ctx, epoch)
	if err != nil && ok {
		return known.members, nil
	}
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.known[epoch] = knownCommittee{members: members, at: r.opts.Now()}
	r.mu.Unlock()
	return members, nil
}

func (r *Registry) read(ctx context.Context, epoch uint64) (*Committee, error) {
	newest, err := r.newest(ctx)
	if err != nil {
		return nil, err
	}
	if epoch == 0 || epoch > newest {
		return nil, fmt.Errorf("operator registry: %w: epoch %d of %d", da.ErrNotFound, epoch, newest)
	}
	registry, err := r.Address(ctx)
	if err != nil {
		return nil, err
	}
	var (
		snapshot  []byte
		accounts  []common.Address
		urls      []string
		threshold uint16
	)
	if err := r.call(ctx, registry, []any{&snapshot}, "snapshot", epoch); err != nil {
		return nil, err
	}
	if err := r.call(ctx, registry, []any{&accounts, &urls}, "contacts", epoch); err != nil {
		return nil, err
	}
	if err := r.call(ctx, r.opts.Verifier, []any{&threshold}, "threshold"); err != nil {
		return nil, err
	}
	c, err := ParseSnapshot(epoch, da.Domain(r.opts.L1ChainID, r.opts.Verifier, registry, r.opts.L2ChainID), snapshot, urls)
	if err != nil {
		return nil, err
	}
	c.Threshold = threshold
	return c, nil
}

// call reads the outputs of a function into pointers. Errors wrap da.ErrUnavailable.
func (r *Registry) call(ctx context.Context, to common.Address, into []any, method string, args ...any) error {
	input, err := r.abi.Pack(method, args...)
	if err != nil {
		return fmt.Errorf("operator registry: %s: %w", method, err)
	}
	raw, err := r.opts.L1.CallContract(ctx, ethereum.CallMsg{To: &to, Data: input}, nil)
	if err != nil {
		return fmt.Errorf("operator registry: %s: %w: %w", method, da.ErrUnavailable, err)
	}
	values, err := r.abi.Unpack(method, raw)
	if err != nil || len(values) != len(into) {
		return fmt.Errorf("operator registry: %s: %w: unexpected answer of %d bytes at %v: %w", method, da.ErrUnavailable, len(raw), to, err)
	}
	for i := range into {
		switch p := into[i].(type) {
		case *uint64:
			*p = values[i].(uint64)
		case *uint16:
			*p = values[i].(uint16)
		case *common.Address:
			*p = values[i].(common.Address)
		case *[]byte:
			*p = values[i].([]byte)
		case *[]common.Address:
			*p = values[i].([]common.Address)
		case *[]string:
			*p = values[i].([]string)
		}
	}
	return nil
}

// PossessionMessage is what an account proves possession of its key with to a registry
// (bls.SecretKey.Prove).
func PossessionMessage(l1ChainID uint64, registry, account common.Address, key *bls.PublicKey) common.Hash {
	raw := key.Bytes()
	return crypto.Keccak256Hash(common.BigToHash(new(big.Int).SetUint64(l1ChainID)).Bytes(), registry[:], account[:], raw[:])
}

// RegisterCall is the calldata that registers a key for an account, with its proof of
// possession. The account sends it, or the registry's owner.
func RegisterCall(l1ChainID uint64, registry, account common.Address, key *bls.SecretKey, url string) ([]byte, error) {
	public := key.Public()
	message := PossessionMessage(l1ChainID, registry, account, public)
	proof, raw := key.Prove(message[:]).Bytes(), public.Bytes()
	return callData("register", account, raw[:], proof[:], url)
}

// SetWeightCall is the calldata by which the registry's owner gives an operator a weight.
func SetWeightCall(account common.Address, weight uint64) ([]byte, error) {
	return callData("setWeight", account, weight)
}

// SealEpochCall is the calldata by which the registry's owner freezes the committee.
func SealEpochCall() ([]byte, error) { return callData("sealEpoch") }

func callData(method string, args ...any) ([]byte, error) {
	parsed, err := abi.JSON(strings.NewReader(registryABI))
	if err != nil {
		return nil, fmt.Errorf("operator registry: %w", err)
	}
	out, err := parsed.Pack(method, args...)
	if err != nil {
		return nil, fmt.Errorf("operator registry: %s: %w", method, err)
	}
	return out, nil
}
