package exec

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/state"
)

// received is a mini-block as another node receives it: nothing of it is shared, and
// receipts hold what is consensus only.
func received(t testing.TB, m *chain.MiniBlock) *chain.MiniBlock {
	c := &chain.MiniBlock{Header: m.Header, Signature: m.Signature, Diff: append([]byte(nil), m.Diff...)}
	for i, tx := range m.Txs {
		restored, err := chain.RestoreTx(tx.Raw(), tx.From())
		if err != nil {
			t.Fatal(err)
		}
		r, err := chain.UnmarshalReceipt(m.Receipts[i].MarshalBinary())
		if err != nil {
			t.Fatal(err)
		}
		c.Txs, c.Receipts = append(c.Txs, restored), append(c.Receipts, r)
	}
	return c
}

// nextAttributes are those that openNext gives.
func nextAttributes(c *Chain) chain.Attributes {
	if c.IsOpen() {
		_, _, a := c.OpenBlock()
		return a
	}
	return chain.Attributes{Timestamp: c.Parent().Time + 1, PrevRandao: common.Hash{9}, ParentBeacon: common.Hash{8}}
}

// sameOutcome compares receipts with those that execution made. What decoding leaves nil
// and execution empty is the same.
func sameOutcome(t *testing.T, got, want *chain.Receipt) {
	t.Helper()
	plain := func(r *chain.Receipt) string {
		logs := ""
		for _, l := range r.Logs {
			logs += fmt.Sprintf("%x %x %x %d %x %d %d;", l.Address, l.Topics, l.Data, l.BlockNumber, l.TxHash, l.TxIndex, l.Index)
		}
		prices := "none"
		if r.L1Prices != nil {
			prices = fmt.Sprintf("%+v", *r.L1Prices)
		}
		return fmt.Sprintf("%d %d %d %x %d %s %d %s %s %s %s", r.Type, r.Status, r.CumulativeGasUsed, r.Bloom, r.DepositNonce, r.TxHash, r.GasUsed, r.EffectiveGasPrice, r.ContractAddress, prices, logs)
	}
	if g, w := plain(got), plain(want); g != w {
		t.Fatalf("receipt\n%s\nwant\n%s", g, w)
	}
}

// A chain that adopts some mini-blocks and executes others is the chain that executes
// all, whatever is tried and discarded in between.
func TestAdoptedEqualsExecuted(t *testing.T) {
	for seed := range int64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := newMix(seed, 4+int(seed)*4)
			steps := m.script(t, 1500)
			c, r := m.boot(t, 2), rand.New(rand.NewSource(seed))
			defer c.Close()
			apart := seed%2 == 0 // nothing is executed
			adopted, blocks := 0, 0
			for k := range steps {
				s := &steps[k]
				if s.mini == nil {
					continue
				}
				if !c.IsOpen() && r.Intn(3) == 0 {
					before := c.State().Latest()
					if _, err := c.Adopt(received(t, s.mini), nextAttributes(c)); err != nil {
						t.Fatal(err)
					}
					c.Discard(before)
					before.Close()
				}
				if apart || r.Intn(2) == 0 {
					got := received(t, s.mini)
					version, err := c.Adopt(got, nextAttributes(c))
					if err != nil {
						t.Fatal(err)
					}
					if version != c.State().Version() {
						t.Fatalf("version %d, the state has %d", version, c.State().Version())
					}
					for i := range got.Receipts {
						sameOutcome(t, got.Receipts[i], s.mini.Receipts[i])
					}
					adopted++
				} else {
					if !c.IsOpen() {
						openNext(t, c)
					}
					if i, err := c.ApplyAll(s.mini.Txs); err != nil {
						t.Fatalf("transaction %d: %v", i, err)
					}
					if b, _ := c.Cut(s.mini.Header.TimestampMicros); b.Header != s.mini.Header {
						t.Fatalf("executed behind what was adopted: %+v, want %+v", b.Header, s.mini.Header)
					}
				}
				if s.block == nil {
					continue
				}
				block, diff, err := c.Seal()
				if err != nil {
					t.Fatal(err)
				}
				if block.Hash() != s.block.Hash() || !reflect.DeepEqual(block.MiniBlocks, s.block.MiniBlocks) || len(diff) == 0 {
					t.Fatalf("block %d: %s, want %s", block.Number(), block.Hash(), s.block.Hash())
				}
				blocks++
			}
			if adopted < 3 || blocks < 1 {
				t.Fatalf("%d mini-blocks adopted, %d blocks", adopted, blocks)
			}
		})
	}
}

// Whatever of a mini-block is changed shows, when it is adopted or when its block is
// sealed, and does not change the chain before that.
func TestWhatIsChangedIsNotAdopted(t *testing.T) {
	m := newMix(3, 8)
	steps := m.script(t, 600)
	var minis []*chain.MiniBlock
	var block *chain.Block
	for k := range steps {
		if s := &steps[k]; s.mini != nil && block == nil {
			minis, block = append(minis, s.mini), s.block
		}
	}
	if block == nil || len(minis) < 2 {
		t.Fatalf("%d mini-blocks in the first block", len(minis))
	}
	c := m.boot(t, 1)
	defer c.Close()
	for at, want := range minis {
		for name, change := range changes(want) {
			got, a := received(t, want), nextAttributes(c)
			if !change(got, &a) {
				continue
			}
			version, open, epoch := c.State().Version(), c.IsOpen(), c.Epoch()
			if _, err := c.Adopt(got, a); !errors.Is(err, ErrMismatch) {
				t.Fatalf("mini-block %d with another %s: %v", at, name, err)
			}
			if c.State().Version() != version || c.IsOpen() != open || c.Epoch() != epoch || c.NextMini() != want.Header.Number {
				t.Fatalf("mini-block %d with another %s: something changed", at, name)
			}
		}
		if _, err := c.Adopt(received(t, want), nextAttributes(c)); err != nil {
			t.Fatalf("mini-block %d as it was: %v", at, err)
		}
	}
	if b, _, err := c.Seal(); err != nil || b.Hash() != block.Hash() {
		t.Fatalf("sealed %v %v, want %s", b, err, block.Hash())
	}

	// What only the hash of the block holds.
	for name, change := range map[string]func(*chain.Attributes){
		"randomness":   func(a *chain.Attributes) { a.PrevRandao[0]++ },
		"gas limit":    func(a *chain.Attributes) { a.Params = m.g.Config.BlockParams(); a.Params.GasLimit++ },
		"elasticity":   func(a *chain.Attributes) { a.Params = m.g.Config.BlockParams(); a.Params.Elasticity++ },
		"denominator":  func(a *chain.Attributes) { a.Params = m.g.Config.BlockParams(); a.Params.Denominator++ },
		"min base fee": func(a *chain.Attributes) { a.Params = m.g.Config.BlockParams(); a.Params.MinBaseFee++ },
		"base fee":     func(a *chain.Attributes) { a.BaseFee = big.NewInt(1_000_001) },
	} {
		c := m.boot(t, 1)
		a := nextAttributes(c)
		change(&a)
		for _, mini := range minis {
			if _, err := c.Adopt(received(t, mini), a); err != nil {
				t.Fatal(err)
			}
		}
		if b, _, err := c.Seal(); err != nil || b.Hash() == block.Hash() {
			t.Errorf("another %s does not show in the hash: %v", name, err)
		}
		c.Close()
	}
}

// changes are by name; one that is not possible returns false.
func changes(want *chain.MiniBlock) map[string]func(*chain.MiniBlock, *chain.Attributes) bool {
	header := func(f func(h *chain.MiniBlockHeader)) func(*chain.MiniBlock, *chain.Attributes) bool {
		return func(m *chain.MiniBlock, _ *chain.Attributes) bool { f(&m.Header); return true }
	}
	// signed makes the header commit to what changed, as a leader that lies does.
	signed := func(m *chain.MiniBlock) {
		m.Header.TxsHash, m.Header.ReceiptsHash, m.Header.DiffHash = chain.TxsHash(m.Txs), chain.ReceiptsHash(m.Receipts), keccak.Sum256(m.Diff)
	}
	user := func(m *chain.MiniBlock) int {
		for i, tx := range m.Txs {
			if !tx.IsDeposit() {
				return i
			}
		}
		return -1
	}
	log := func(m *chain.MiniBlock) *types.Log {
		for _, r := range m.Receipts {
			if len(r.Logs) > 0 {
				return r.Logs[0]
			}
		}
		return nil
	}
	return map[string]func(*chain.MiniBlock, *chain.Attributes) bool{
		"chain":            header(func(h *chain.MiniBlockHeader) { h.ChainID++ }),
		"number":           header(func(h *chain.MiniBlockHeader) { h.Number++ }),
		"number before":    header(func(h *chain.MiniBlockHeader) { h.Number-- }),
		"parent":           header(func(h *chain.MiniBlockHeader) { h.ParentHash[5]++ }),
		"block":            header(func(h *chain.MiniBlockHeader) { h.BlockNumber++ }),
		"index":            header(func(h *chain.MiniBlockHeader) { h.Index++ }),
		"first index":      header(func(h *chain.MiniBlockHeader) { h.FirstTxIndex++ }),
		"count":            header(func(h *chain.MiniBlockHeader) { h.TxCount++ }),
		"many":             header(func(h *chain.MiniBlockHeader) { h.TxCount = chain.MaxMiniBlockTxs + 1 }),
		"gas":              header(func(h *chain.MiniBlockHeader) { h.GasUsed++ }),
		"much gas":         header(func(h *chain.MiniBlockHeader) { h.GasUsed = 1 << 62 }),
		"time":             header(func(h *chain.MiniBlockHeader) { h.TimestampMicros++ }),
		"txs hash":         header(func(h *chain.MiniBlockHeader) { h.TxsHash[0]++ }),
		"receipts hash":    header(func(h *chain.MiniBlockHeader) { h.ReceiptsHash[0]++ }),
		"diff hash":        header(func(h *chain.MiniBlockHeader) { h.DiffHash[0]++ }),
		"timestamp":        func(_ *chain.MiniBlock, a *chain.Attributes) bool { a.Timestamp++; return true },
		"parent timestamp": func(_ *chain.MiniBlock, a *chain.Attributes) bool { a.Timestamp = 1; return true },
		"beacon root":      func(_ *chain.MiniBlock, a *chain.Attributes) bool { a.ParentBeacon[0]++; return true },
		"randomness of an open block": func(m *chain.MiniBlock, a *chain.Attributes) bool {
			a.PrevRandao[0]++
			return m.Header.Index > 0
		},
		"gas limit of an open block": func(m *chain.MiniBlock, a *chain.Attributes) bool {
			a.Params.GasLimit++
			return m.Header.Index > 0
		},
		"base fee of an open block": func(m *chain.MiniBlock, a *chain.Attributes) bool {
			a.BaseFee = new(big.Int)
			return m.Header.Index > 0
		},
		"order": func(m *chain.MiniBlock, _ *chain.Attributes) bool {
			if len(m.Txs) < 2 {
				return false
			}
			m.Txs[0], m.Txs[1] = m.Txs[1], m.Txs[0]
			return true
		},
		"transaction less": func(m *chain.MiniBlock, _ *chain.Attributes) bool {
			if len(m.Txs) == 0 {
				return false
			}
			m.Txs = m.Txs[1:]
			return true
		},
		"receipt less": func(m *chain.MiniBlock, _ *chain.Attributes) bool {
			if len(m.Txs) == 0 {
				return false
			}
			m.Receipts = m.Receipts[1:]
			return true
		},
		"sender": func(m *chain.MiniBlock, _ *chain.Attributes) bool {
			i := user(m)
			if i < 0 {
				return false
			}
			m.Txs[i], _ = chain.RestoreTx(m.Txs[i].Raw(), common.Address{0xbe})
			return true
		},
		"sender of a creation": func(m *chain.MiniBlock, _ *chain.Attributes) bool {
			for i, tx := range m.Txs {
				if created := m.Receipts[i]; !tx.IsDeposit() && tx.To() == nil && created.Status == 1 {
					m.Txs[i], _ = chain.RestoreTx(tx.Raw(), want.Receipts[i].ContractAddress)
					return true
				}
			}
			return false
		},
		"status": func(m *chain.MiniBlock, _ *chain.Attributes) bool {
			if len(m.Receipts) == 0 {
				return false
			}
			m.Receipts[0].Status ^= 1
			return true
		},
		"cumulative gas": func(m *chain.MiniBlock, _ *chain.Attributes) bool {
			if len(m.Receipts) < 2 {
				return false
			}
			m.Receipts[0].CumulativeGasUsed++
			return true
		},
		"gas that falls, signed": func(m *chain.MiniBlock, _ *chain.Attributes) bool {
			if len(m.Receipts) < 2 {
				return false
			}
			m.Receipts[0].CumulativeGasUsed = m.Receipts[1].CumulativeGasUsed + 1
			signed(m)
			return true
		},
		"kind of receipt, signed": func(m *chain.MiniBlock, _ *chain.Attributes) bool {
			i := user(m)
			if i < 0 {
				return false
			}
			m.Receipts[i].Type = types.LegacyTxType
			signed(m)
			return true
		},
		"bloom": func(m *chain.MiniBlock, _ *chain.Attributes) bool {
			if len(m.Receipts) == 0 {
				return false
			}
			m.Receipts[0].Bloom[7]++
			return true
		},
		"address of a log": func(m *chain.MiniBlock, _ *chain.Attributes) bool {
			l := log(m)
			if l != nil {
				l.Address[3]++
			}
			return l != nil
		},
		"data of a log": func(m *chain.MiniBlock, _ *chain.Attributes) bool {
			l := log(m)
			if l != nil {
				l.Data = append(l.Data, 1)
			}
			return l != nil
		},
		"diff": func(m *chain.MiniBlock, _ *chain.Attributes) bool { m.Diff[len(m.Diff)/2]++; return true },
		"diff that is none, signed": func(m *chain.MiniBlock, _ *chain.Attributes) bool {
			m.Diff = m.Diff[:len(m.Diff)-1]
			signed(m)
			return true
		},
		"step too many, signed": func(m *chain.MiniBlock, _ *chain.Attributes) bool {
			list, _ := state.DecodeAccessList(m.Diff)
			list.AddBalance(uint32(len(m.Txs))+1, common.Address{1}, *uint256.NewInt(5))
			m.Diff = list.Encode()
			signed(m)
			return true
		},
	}
}

// A block that is being executed is not gone on with by adopting, before it is cut.
func TestWhatIsBeingExecutedIsNotAdoptedInto(t *testing.T) {
	m := newMix(5, 8)
	steps := m.script(t, 300)
	var first *chain.MiniBlock
	for k := range steps {
		if first = steps[k].mini; first != nil {
			break
		}
	}
	c := m.boot(t, 1)
	defer c.Close()
	a := nextAttributes(c)
	openNext(t, c)
	if _, err := c.Adopt(received(t, first), a); !errors.Is(err, ErrMismatch) {
		t.Errorf("into a block that was opened to be executed: %v", err)
	}
	c.Abandon()
	c.Edit(state.Diff{{Address: common.Address{7}, Storage: []state.SlotDiff{{Slot: common.Hash{1}, Value: common.Hash{2}}}}})
	if _, err := c.Adopt(received(t, first), a); !errors.Is(err, ErrMismatch) {
		t.Errorf("behind an edit: %v", err)
	}
}
