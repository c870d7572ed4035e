package l1feed

import (
	"context"
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
)

// shelf is an alt-DA server.
type shelf struct {
	data []byte
	err  error
}

func (s shelf) Put(context.Context, []byte) (da.Commitment, error) { return nil, da.ErrRefused }
func (s shelf) Get(context.Context, da.Commitment) ([]byte, error) { return s.data, s.err }
func (s shelf) Limit() int                                         { return 100 }

func TestDataAreFoundDroppedOrWaitedFor(t *testing.T) {
	good := da.NewKeccak([]byte("frames")).Bytes()
	for _, test := range []struct {
		name   string
		tx     l1.BatchTx
		mode   chain.DAMode
		reader da.Reader
		want   derive.BatchTx
		wait   bool
		none   bool
	}{
		{"calldata", l1.BatchTx{Data: []byte{0, 1, 2}}, chain.DABlobs, da.Reader{}, derive.BatchTx{Source: derive.SourceCalldata, Data: []byte{1, 2}}, false, false},
		{"of an alt-DA server", l1.BatchTx{Data: good}, chain.DAAlt, da.Reader{AltDA: shelf{data: []byte("frames")}}, derive.BatchTx{Source: derive.SourceAltDA, Data: []byte("frames")}, false, false},
		{"a server that is down", l1.BatchTx{Data: good}, chain.DAAlt, da.Reader{AltDA: shelf{err: da.ErrUnavailable}}, derive.BatchTx{}, true, false},
		{"a server that lies", l1.BatchTx{Data: good}, chain.DAAlt, da.Reader{AltDA: shelf{err: da.ErrMismatch}}, derive.BatchTx{}, true, false},
		{"no server is known", l1.BatchTx{Data: good}, chain.DAAlt, da.Reader{}, derive.BatchTx{}, true, false},
		{"nobody asked for it", l1.BatchTx{Data: good}, chain.DABlobs, da.Reader{}, derive.BatchTx{Source: derive.SourceAltDA}, false, false},
		{"malformed", l1.BatchTx{Data: good[:9]}, chain.DAAlt, da.Reader{AltDA: shelf{}}, derive.BatchTx{Source: derive.SourceAltDA, Bad: "x"}, false, false},
		{"to nothing", l1.BatchTx{Data: da.NewKeccak(nil).Bytes()}, chain.DAAlt, da.Reader{}, derive.BatchTx{Source: derive.SourceAltDA, Bad: "x"}, false, false},
		{"to nothing, of some length", l1.BatchTx{Data: (&da.Keccak{Hash: crypto.Keccak256Hash(nil), Length: 5}).Bytes()}, chain.DAAlt, da.Reader{}, derive.BatchTx{Source: derive.SourceAltDA, Bad: "x"}, false, false},
		{"to more than may be", l1.BatchTx{Data: (&da.Keccak{Length: da.MaxAltDABytes + 1}).Bytes()}, chain.DAAlt, da.Reader{}, derive.BatchTx{Source: derive.SourceAltDA, Bad: "x"}, false, false},
		{"generic, without a server", l1.BatchTx{Data: (&da.Generic{Payload: []byte{1}, Length: 6}).Bytes()}, chain.DAAlt, da.Reader{}, derive.BatchTx{Source: derive.SourceAltDA, Bad: "x"}, false, false},
		{"of another length than it has", l1.BatchTx{Data: good}, chain.DAAlt, da.Reader{AltDA: shelf{err: da.ErrMalformed}}, derive.BatchTx{Source: derive.SourceAltDA, Bad: "x"}, false, false},
		{"a certificate that L1 has not verified", l1.BatchTx{Data: []byte{2, 1}}, chain.DACommittee, da.Reader{}, derive.BatchTx{}, false, true},
		{"a certificate that is malformed", l1.BatchTx{Data: []byte{2, 1}, Certified: true}, chain.DACommittee, da.Reader{}, derive.BatchTx{Source: derive.SourceCommittee, Bad: "x"}, false, false},
		{"of no known version", l1.BatchTx{Data: []byte{9, 9}}, chain.DAAlt, da.Reader{}, derive.BatchTx{}, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &Feed{opts: Options{Batches: &Batches{Config: new(chain.Config), Resolver: FromDA(&test.reader)}}}
			test.tx.From, test.want.From = common.Address{1}, common.Address{1}
			b, err := f.convert(t.Context(), &l1.Block{Batches: []l1.BatchTx{test.tx}}, chain.SystemConfig{DAMode: test.mode})
			if test.wait {
				if err == nil || errors.Is(err, ErrBadData) {
					t.Fatalf("not waited for: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if test.none {
				if len(b.Batches) != 0 {
					t.Fatalf("%+v", b.Batches)
				}
				return
			}
			got := b.Batches[0]
			if got.From != test.want.From || got.Source != test.want.Source || string(got.Data) != string(test.want.Data) || (got.Bad == "") != (test.want.Bad == "") {
				t.Fatalf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestAnL1BlockNamesSoMuch: commitments beyond what one L1 block may name are void, those
// that fit behind them are not.
func TestAnL1BlockNamesSoMuch(t *testing.T) {
	var txs []l1.BatchTx
	whole := derive.MaxNamedBytes / da.MaxAltDABytes
	for i := range whole {
		txs = append(txs, l1.BatchTx{Data: (&da.Keccak{Hash: common.Hash{byte(i + 1)}, Length: da.MaxAltDABytes - 1}).Bytes()})
	}
	for _, length := range []uint32{uint32(whole + 1), uint32(whole), 1} {
		txs = append(txs, l1.BatchTx{Data: (&da.Keccak{Hash: common.Hash{1}, Length: length}).Bytes()})
	}
	f := &Feed{opts: Options{Batches: &Batches{Config: new(chain.Config), Resolver: FromDA(&da.Reader{AltDA: shelf{data: []byte("x")}})}}}
	b, err := f.convert(t.Context(), &l1.Block{Batches: txs}, chain.SystemConfig{DAMode: chain.DAAlt})
	if err != nil {
		t.Fatal(err)
	}
	for i, tx := range b.Batches {
		if want := i == whole || i == whole+2; (tx.Bad != "") != want {
			t.Errorf("commitment %d: void %t: %s", i, tx.Bad != "", tx.Bad)
		}
	}
}
