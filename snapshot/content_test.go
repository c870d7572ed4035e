package snapshot

import (
	"bytes"
	"errors"
	"math/big"
	"math/rand"
	"reflect"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

func byHash(a, b []byte) int { return bytes.Compare(crypto.Keccak256(a), crypto.Keccak256(b)) }

// random is a content of everything, by chance.
func random(r *rand.Rand) *Content {
	c := new(Content)
	for n := range r.Intn(4) {
		c.Headers = append(c.Headers, &types.Header{Number: big.NewInt(int64(n)), Difficulty: new(big.Int), Extra: []byte{1, 2}})
	}
	for range r.Intn(3) {
		m := MiniBlock{Header: chain.MiniBlockHeader{ChainID: 1, Number: r.Uint64()}, Signature: chain.Signature{byte(r.Intn(9))}}
		for range r.Intn(3) {
			m.Txs, m.Receipts = append(m.Txs, []byte{2, byte(r.Intn(256))}), append(m.Receipts, []byte{9})
		}
		c.MiniBlocks = append(c.MiniBlocks, m)
	}
	for i := range byte(r.Intn(20)) {
		a := Account{common.Address{i, byte(r.Intn(256))}, state.EmptyAccount}
		a.Nonce = r.Uint64() >> r.Intn(64)
		a.Balance.SetUint64(1 + r.Uint64()>>1)
		if i%3 == 0 {
			a.CodeHash = common.Hash{i, 7}
			a.Balance.Lsh(&a.Balance, uint(r.Intn(190)))
		}
		c.Accounts = append(c.Accounts, a)
	}
	for range r.Intn(3) {
		c.Codes = append(c.Codes, []byte{0x60, byte(r.Intn(256))})
	}
	slices.SortFunc(c.Codes, byHash)
	c.Codes = slices.CompactFunc(c.Codes, bytes.Equal)
	for i := range byte(r.Intn(5)) {
		for k := range byte(1 + r.Intn(5)) {
			c.Slots = append(c.Slots, Slot{common.Address{i}, common.Hash{k, byte(r.Intn(256))}, common.BytesToHash([]byte{1 + byte(r.Intn(255)), k})})
		}
	}
	return c
}

func TestAContentIsReadAsItWasWritten(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 300 {
		c := random(r)
		got, err := DecodeContent(c.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Encode(), c.Encode()) || len(got.Headers) != len(c.Headers) || !reflect.DeepEqual(got.Accounts, c.Accounts) ||
			!reflect.DeepEqual(got.Slots, c.Slots) || !slices.EqualFunc(got.Codes, c.Codes, bytes.Equal) || len(got.MiniBlocks) != len(c.MiniBlocks) {
			t.Fatalf("written %+v, read %+v", c, got)
		}
	}
}

func TestWhatIsNotInFormIsRefused(t *testing.T) {
	full := Account{common.Address{2}, state.EmptyAccount}
	full.Nonce = 1
	low := full
	low.Address = common.Address{1}
	one := common.Hash{31: 1}
	for name, c := range map[string]*Content{
		"accounts out of order":         {Accounts: []Account{full, low}},
		"an account twice":              {Accounts: []Account{full, full}},
		"an empty account":              {Accounts: []Account{{common.Address{1}, state.EmptyAccount}}},
		"slots out of order":            {Slots: []Slot{{Slot: common.Hash{2}, Value: one}, {Slot: common.Hash{1}, Value: one}}},
		"a slot twice":                  {Slots: []Slot{{Value: one}, {Value: one}}},
		"slots of accounts in no order": {Slots: []Slot{{Address: common.Address{2}, Value: one}, {Address: common.Address{1}, Value: one}}},
		"slots of an account apart":     {Slots: []Slot{{Address: common.Address{1}, Value: one}, {Address: common.Address{2}, Value: one}, {Address: common.Address{1}, Slot: one, Value: one}}},
		"a slot of zero":                {Slots: []Slot{{Slot: one}}},
		"an empty code":                 {Codes: [][]byte{{}}},
		"a code twice":                  {Codes: [][]byte{{1}, {1}}},
		"too many headers":              {Headers: slices.Repeat([]*types.Header{{Number: new(big.Int), Difficulty: new(big.Int)}}, Ancestors+1)},
		"a receipt of no transaction":   {MiniBlocks: []MiniBlock{{Receipts: [][]byte{{1}}}}},
	} {
		if _, err := DecodeContent(c.Encode()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	raw := (&Content{Accounts: []Account{full}}).Encode()
	for _, bad := range [][]byte{nil, {0x80}, raw[:len(raw)-1], append(bytes.Clone(raw), 0)} {
		if _, err := DecodeContent(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%x: %v", bad, err)
		}
	}
}

// A content that is read has one encoding.
func FuzzContent(f *testing.F) {
	r := rand.New(rand.NewSource(2))
	for range 5 {
		f.Add(random(r).Encode())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := DecodeContent(raw); err == nil && !bytes.Equal(c.Encode(), raw) {
			t.Errorf("%x is written as %x", raw, c.Encode())
		}
	})
}

// A manifest that is read has one encoding, and its checks do not fail on any.
func FuzzManifest(f *testing.F) {
	m := &Manifest{Version: Version, ChainID: 1, Header: &types.Header{Number: big.NewInt(3), Difficulty: new(big.Int)}, Block: 1, Pieces: []Piece{{Size: 1, Raw: 1}}}
	f.Add(m.Encode())
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := DecodeManifest(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(m.Encode(), raw) {
			t.Errorf("%x is written as %x", raw, m.Encode())
		}
		if err := m.Check(m.ChainID, common.Address{1}); err == nil {
			t.Error("somebody's signature was guessed")
		}
	})
}

// The builder's pieces hold what it was given, once and in order, none much larger than
// the others.
func TestTheBuilderDividesTheState(t *testing.T) {
	var got []*Content
	b := Builder{Emit: func(c *Content) error { got = append(got, c); return nil }}
	const accounts, slots = 90_000, 120_000
	for i := range accounts {
		a := state.EmptyAccount
		a.Nonce = uint64(i + 1)
		b.LoadAccount(common.BigToAddress(big.NewInt(int64(i))), a)
	}
	codes := make([][]byte, 30)
	for i := range codes {
		codes[i] = bytes.Repeat([]byte{byte(i)}, 100_000)
	}
	slices.SortFunc(codes, byHash)
	for _, code := range codes {
		b.LoadCode(code)
	}
	for i := range slots {
		b.LoadSlot(common.Address{1}, common.BigToHash(big.NewInt(int64(i))), common.Hash{31: 1})
	}
	if err := b.FinishState(); err != nil {
		t.Fatal(err)
	}
	var sum [3]int
	for i, c := range got {
		raw := c.Encode()
		if len(raw) > PieceBytes+1<<20 {
			t.Errorf("piece %d has %d bytes", i, len(raw))
		}
		again, err := DecodeContent(raw)
		if err != nil {
			t.Fatalf("piece %d: %v", i, err)
		}
		for k := range again.Accounts {
			if again.Accounts[k].Nonce != uint64(sum[0]+k+1) {
				t.Fatalf("account %d has nonce %d", sum[0]+k, again.Accounts[k].Nonce)
			}
		}
		sum[0] += len(again.Accounts)
		sum[1] += len(again.Codes)
		sum[2] += len(again.Slots)
	}
	if sum != [3]int{accounts, 30, slots} || b.Accounts != accounts || b.Codes != 30 || b.Slots != slots {
		t.Errorf("%v in %d pieces; %d %d %d", sum, len(got), b.Accounts, b.Codes, b.Slots)
	}
	failed := errors.New("full")
	b = Builder{Emit: func(*Content) error { return failed }}
	b.LoadCode(codes[0])
	if err := b.FinishState(); !errors.Is(err, failed) {
		t.Errorf("the error of Emit is %v", err)
	}
}
