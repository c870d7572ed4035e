package bridge

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
)

// arguments are go-ethereum's encoder for the types.
func arguments(t testing.TB, names ...string) (out abi.Arguments) {
	t.Helper()
	for _, name := range names {
		typ, err := abi.NewType(name, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, abi.Argument{Type: typ})
	}
	return out
}

// event is a random withdrawal and its log, encoded by go-ethereum.
func event(t testing.TB, r *rand.Rand) (*Withdrawal, *types.Log) {
	t.Helper()
	w := &Withdrawal{
		Nonce: new(big.Int).Lsh(big.NewInt(1), 240), Value: new(big.Int).SetUint64(r.Uint64()),
		GasLimit: big.NewInt(r.Int64()), Data: make([]byte, r.IntN(100)),
	}
	w.Nonce.Add(w.Nonce, big.NewInt(r.Int64N(1000)))
	for i := range w.Data {
		w.Data[i] = byte(r.Uint32())
	}
	for i := range w.Sender {
		w.Sender[i], w.Target[i] = byte(r.Uint32()), byte(r.Uint32())
	}
	text, err := arguments(t, "uint256", "address", "address", "uint256", "uint256", "bytes").Pack(w.Nonce, w.Sender, w.Target, w.Value, w.GasLimit, w.Data)
	if err != nil {
		t.Fatal(err)
	}
	hash := crypto.Keccak256Hash(text)
	data, err := arguments(t, "uint256", "uint256", "bytes", "bytes32").Pack(w.Value, w.GasLimit, w.Data, hash)
	if err != nil {
		t.Fatal(err)
	}
	return w, &types.Log{
		Address: chain.MessagePasserAddr, Data: data,
		Topics: []common.Hash{MessagePassedTopic, common.BigToHash(w.Nonce), common.BytesToHash(w.Sender[:]), common.BytesToHash(w.Target[:])},
	}
}

func TestWithdrawalsAreReadAndNamedAsGoEthereumEncodesThem(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		want, log := event(t, r)
		got, err := ParseWithdrawal(log)
		if err != nil {
			t.Fatal(err)
		}
		if got.Nonce.Cmp(want.Nonce) != 0 || got.Sender != want.Sender || got.Target != want.Target || got.Value.Cmp(want.Value) != 0 ||
			got.GasLimit.Cmp(want.GasLimit) != 0 || string(got.Data) != string(want.Data) {
			t.Fatalf("read %+v, want %+v", got, want)
		}
		slot, err := arguments(t, "bytes32", "uint256").Pack(got.Hash(), new(big.Int))
		if err != nil {
			t.Fatal(err)
		}
		if Slot(got.Hash()) != crypto.Keccak256Hash(slot) {
			t.Fatal("slot")
		}
		if n := len(Withdrawals([]*types.Log{{}, log, log})); n != 2 {
			t.Fatalf("%d withdrawals in the logs, want 2", n)
		}
	}
}

func TestWhatIsNoWithdrawalIsRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, spoil := range map[string]func(*types.Log){
		"of another contract": func(l *types.Log) { l.Address[3]++ },
		"another event":       func(l *types.Log) { l.Topics[0][0]++ },
		"a topic short":       func(l *types.Log) { l.Topics = l.Topics[:3] },
		"cut short":           func(l *types.Log) { l.Data = l.Data[:100] },
		"length beyond":       func(l *types.Log) { l.Data[4*32+30] = 0xff },
		"length of 2^255":     func(l *types.Log) { l.Data[4*32] = 0x80 },
		"another value":       func(l *types.Log) { l.Data[31]++ },
		"another hash":        func(l *types.Log) { l.Data[3*32]++ },
	} {
		_, log := event(t, r)
		spoil(log)
		if _, err := ParseWithdrawal(log); !errors.Is(err, ErrNotWithdrawal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseWithdrawal(f *testing.F) {
	_, log := event(f, rand.New(rand.NewPCG(5, 6)))
	f.Add(log.Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		_, log := event(t, rand.New(rand.NewPCG(5, 6)))
		log.Data = data
		w, err := ParseWithdrawal(log)
		if err == nil && w.Hash() != common.BytesToHash(data[96:128]) {
			t.Error("another hash than the event's")
		}
	})
}
