package state

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// txWork does the working-state side of one transaction and hands the outcome out.
type txWork func(j *Journal, buf *DiffBuffer, view View, n int) (Diff, []Credit)

// payments are what a plain transfer asks of its journal: checks, fees, two balances.
type payments struct {
	accounts []common.Address
	coinbase common.Address
	amount   uint256.Int
	fee      uint256.Int
}

func (p *payments) run(j *Journal, buf *DiffBuffer, view View, n int) (Diff, []Credit) {
	from, to := p.accounts[n%len(p.accounts)], p.accounts[(n*7+1)%len(p.accounts)]
	j.Reset(view)
	nonce := j.Nonce(from)
	if j.Code(from) != nil {
		panic("sender with code")
	}
	balance := j.Balance(from)
	if balance.Lt(&p.fee) {
		panic("poor sender")
	}
	j.SubBalance(from, &p.fee)
	j.TouchAccount(from)
	j.TouchAccount(to)
	j.TouchAccount(p.coinbase)
	j.SetNonce(from, nonce+1)
	j.Code(to)
	j.SubBalance(from, &p.amount)
	j.AddBalance(to, &p.amount)
	j.AddBalance(from, &p.amount)
	j.Credit(p.coinbase, &p.fee)
	return j.DiffInto(buf)
}

// tokens are what an ERC-20 transfer asks of its journal.
type tokens struct {
	payments
	token common.Address
	slots []common.Hash
	topic common.Hash
	data  [32]byte
}

func (t *tokens) run(j *Journal, buf *DiffBuffer, view View, n int) (Diff, []Credit) {
	from := t.accounts[n%len(t.accounts)]
	a, b := t.slots[n%len(t.slots)], t.slots[(n*7+1)%len(t.slots)]
	j.Reset(view)
	nonce := j.Nonce(from)
	j.Code(from)
	j.Balance(from)
	j.SubBalance(from, &t.fee)
	j.TouchAccount(from)
	j.TouchAccount(t.token)
	j.TouchAccount(t.coinbase)
	j.SetNonce(from, nonce+1)
	snapshot := j.Snapshot()
	if j.Code(t.token) == nil {
		panic("token without code")
	}
	j.TouchSlot(t.token, a)
	v, _ := j.Storage(t.token, a)
	binary.BigEndian.PutUint64(v[24:], uint64(n)+1)
	j.TouchSlot(t.token, a)
	j.Storage(t.token, a)
	j.SetStorage(t.token, a, v)
	j.TouchSlot(t.token, b)
	j.Storage(t.token, b)
	j.TouchSlot(t.token, b)
	j.Storage(t.token, b)
	j.SetStorage(t.token, b, v)
	j.AppendLog(t.token, []common.Hash{t.topic, a, b}, t.data[:])
	if j.Snapshot() <= snapshot {
		panic("nothing happened")
	}
	j.AddBalance(from, &t.amount)
	j.Credit(t.coinbase, &t.fee)
	j.LogsInto(buf)
	return j.DiffInto(buf)
}

// newTxWork returns a state of n accounts and a token with as many holders, and what
// transactions do with it.
func newTxWork(n int) (db *DB, works, reads map[string]txWork) {
	r := rand.New(rand.NewPCG(1, 1))
	d := manyAccounts(r, n)
	db = NewDB()
	db.Reserve(n+1, n)
	db.Apply(d)
	p := payments{coinbase: common.Address{0xcb}, amount: *uint256.NewInt(1), fee: *uint256.NewInt(3)}
	for range 1 << 12 {
		p.accounts = append(p.accounts, d[r.IntN(len(d))].Address)
	}
	t := &tokens{payments: p, token: common.Address{0x70}, topic: common.Hash{1}}
	nonce := uint64(1)
	token := AccountDiff{Address: t.token, Nonce: &nonce, Code: []byte{0x60, 0, 0xfd}, CodeChanged: true}
	for i := range n {
		var slot common.Hash
		binary.BigEndian.PutUint64(slot[:], r.Uint64())
		binary.BigEndian.PutUint32(slot[24:], uint32(i))
		token.Storage = append(token.Storage, SlotDiff{slot, common.Hash{31: 1}})
	}
	db.Apply(Diff{token})
	for range 1 << 12 {
		t.slots = append(t.slots, token.Storage[r.IntN(n)].Slot)
	}
	return db, map[string]txWork{"transfer": p.run, "token transfer": t.run}, map[string]txWork{"transfer": p.read, "token transfer": t.read}
}

func TestATransactionsWorkingStateAllocatesNothing(t *testing.T) {
	db, works, _ := newTxWork(1000)
	for name, work := range works {
		j, n := NewJournal(nil), 0
		var buf DiffBuffer
		step := func() {
			if d, credits := work(j, &buf, db.Head(), n); len(d) < 1 || len(credits) != 1 {
				t.Fatalf("%s: %d accounts changed, %d credits", name, len(d), len(credits))
			}
			n++
		}
		for range 100 {
			step()
		}
		if allocs := testing.AllocsPerRun(1000, step); allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

// The reads alone are what the database costs: the rest of a transaction is the
// journal's.
func (p *payments) read(_ *Journal, _ *DiffBuffer, view View, n int) (Diff, []Credit) {
	view.Account(p.accounts[n%len(p.accounts)])
	view.Account(p.accounts[(n*7+1)%len(p.accounts)])
	return nil, nil
}

func (t *tokens) read(_ *Journal, _ *DiffBuffer, view View, n int) (Diff, []Credit) {
	view.Account(t.accounts[n%len(t.accounts)])
	view.Code(CodeHash(view, t.token))
	view.Storage(t.token, t.slots[n%len(t.slots)])
	view.Storage(t.token, t.slots[(n*7+1)%len(t.slots)])
	return nil, nil
}

func BenchmarkJournal(b *testing.B) {
	db, works, reads := newTxWork(1_000_000)
	for _, name := range []string{"transfer", "token transfer"} {
		for part, work := range map[string]txWork{"all": works[name], "reads of the database alone": reads[name]} {
			b.Run(name+"/"+part, func(b *testing.B) {
				j, n := NewJournal(nil), 0
				var buf DiffBuffer
				view := db.Head()
				b.ReportAllocs()
				for b.Loop() {
					work(j, &buf, view, n)
					n++
				}
			})
		}
	}
}
