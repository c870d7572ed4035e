package exec

import (
	"fmt"
	"maps"
	"math/big"
	"math/rand"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/chain"
)

// Each case is a few blocks; go-ethereum must reach the root of each with its witness,
// with every node and code of it and with none of them less.
func TestGoEthereumExecutesBlocksByTheirWitness(t *testing.T) {
	fresh, absent := common.HexToAddress("0xf1e5"), common.HexToAddress("0xabcdef")
	precompile := common.BytesToAddress([]byte{4})
	for name, blocks := range map[string][]func(*sender) []*chain.Tx{
		"an empty block": {func(s *sender) []*chain.Tx { return nil }},
		"transfers": {func(s *sender) []*chain.Tx {
			other := s.m.address(1)
			return []*chain.Tx{s.tx(&fresh, 5, nil), s.tx(&other, 7, nil), s.tx(&absent, 0, nil), s.tx(&precompile, 1, []byte{1})}
		}},
		"a transfer without a tip": {func(s *sender) []*chain.Tx {
			s.nonce++
			return []*chain.Tx{s.m.sign(s.from, &types.DynamicFeeTx{
				ChainID: new(big.Int).SetUint64(s.m.g.Config.ChainID), Gas: 21_000, To: &fresh, Value: big.NewInt(1), GasFeeCap: big.NewInt(3_000_000), GasTipCap: new(big.Int),
			})}
		}},
		"contracts": {
			func(s *sender) []*chain.Tx {
				return []*chain.Tx{s.tx(nil, 3, plainInit), s.tx(&factoryAddr, 0, append(words([]byte{7}), plainInit...)), s.tx(nil, 0, []byte{byte(vm.INVALID)})}
			},
			func(s *sender) []*chain.Tx { // there is one already
				made := create2Addr(7, plainInit)
				return []*chain.Tx{s.tx(&factoryAddr, 0, append(words([]byte{7}), plainInit...)), s.tx(&made, 0, nil), s.ask(made, 0, 0, made)}
			},
		},
		"a token": {func(s *sender) []*chain.Tx {
			to := s.m.address(2)
			return []*chain.Tx{
				s.tx(&tokenAddr, 0, append([]byte{0xa9, 5, 9, 0xcb}, words(to[:], []byte{9})...)),
				s.tx(&tokenAddr, 0, append([]byte{0xa9, 5, 9, 0xcb}, words(fresh[:], []byte{9})...)),
				s.tx(&tokenAddr, 0, append([]byte{0xa9, 5, 9, 0xcb}, words(to[:], []byte{0xff, 0xff})...)), // reverts
			}
		}},
		"self-destruction where there was a balance": {
			func(s *sender) []*chain.Tx {
				doomed := create2Addr(1, doomedInit)
				return []*chain.Tx{s.tx(&doomed, 1, nil)}
			},
			func(s *sender) []*chain.Tx {
				return []*chain.Tx{s.tx(&factoryAddr, 0, append(words([]byte{1}), doomedInit...)), s.tx(nil, 2, doomedInit), s.tx(&doomedAddr, 1, nil)}
			},
		},
		"slots are deleted": {
			func(s *sender) (txs []*chain.Tx) {
				for i := range 12 {
					txs = append(txs, s.keep(i, 1))
				}
				return txs
			},
			func(s *sender) []*chain.Tx { return []*chain.Tx{s.keep(3, 0), s.keep(4, 0), s.keep(40, 1)} },
			func(s *sender) []*chain.Tx { return []*chain.Tx{s.keep(40, 0), s.keep(41, 1), s.keep(41, 0)} },
			func(s *sender) (txs []*chain.Tx) {
				for i := range 11 {
					txs = append(txs, s.keep(i, 0))
				}
				return txs
			},
			func(s *sender) []*chain.Tx { return []*chain.Tx{s.keep(11, 0)} },
		},
		"delegations": {
			func(s *sender) []*chain.Tx { return []*chain.Tx{s.delegate(1, 0, poolAddr)} },
			func(s *sender) []*chain.Tx {
				to := s.m.address(1)
				return []*chain.Tx{s.tx(&to, 1, []byte{1}), s.ask(to, 0, 0, to), s.delegate(1, 1, watcherAddr), s.tx(&to, 1, nil)}
			},
			func(s *sender) []*chain.Tx {
				return []*chain.Tx{s.delegate(1, 2, common.Address{}), s.delegate(2, 0, s.m.address(1)), s.delegate(2, 5, poolAddr)}
			},
		},
		"block hashes": {
			nil, nil, nil,
			func(s *sender) []*chain.Tx { return []*chain.Tx{s.ask(absent, 2, 0, absent)} },
			func(s *sender) []*chain.Tx {
				return []*chain.Tx{s.ask(absent, 4, 0, absent), s.ask(absent, 0, 0, absent)}
			},
			func(s *sender) []*chain.Tx {
				return []*chain.Tx{s.ask(absent, 6, 0, absent), s.ask(absent, 99, 0, absent)}
			},
		},
		"looks without use": {
			func(s *sender) []*chain.Tx {
				return []*chain.Tx{s.ask(tokenAddr, 0, 1, poolAddr), s.ask(absent, 0, 2, walletAddr)}
			},
			func(s *sender) []*chain.Tx { // compiled by now
				return []*chain.Tx{s.ask(tokenAddr, 0, 3, poolAddr), s.ask(fresh, 0, 4, walletAddr), s.ask(s.m.address(2), 1, 4, s.m.address(3))}
			},
		},
		"the contracts of the system": {
			func(s *sender) []*chain.Tx {
				return []*chain.Tx{s.tx(&params.HistoryStorageAddress, 0, words([]byte{0}))}
			},
			func(s *sender) []*chain.Tx {
				now := new(big.Int).SetUint64(genesisTime + 1)
				return []*chain.Tx{s.tx(&params.HistoryStorageAddress, 0, words([]byte{0})), s.tx(&params.BeaconRootsAddress, 0, words(now.Bytes()))}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := standard(2, 12)
			rig := newStandardRig(t, m)
			s := &sender{m: m}
			for _, txs := range blocks {
				proofs := proofsOf(rig.serial.trie)
				next := list()
				if txs != nil {
					next = list(txs(s)...)
				}
				b, w := rig.block(next)
				checkMinimal(t, &m.g.Config, b, w, proofs)
			}
		})
	}
}

// checkMinimal leaves out one node after the other, and one code: go-ethereum must fail.
func checkMinimal(t *testing.T, cfg *chain.Config, b *chain.Block, w *chain.Witness, proofs map[string]bool) {
	t.Helper()
	fails := func(less *chain.Witness) bool {
		root, _, _, err := witnessed(t, cfg, b, less).Strictly()
		return err != nil || root != b.Header.Root
	}
	for i, node := range w.State {
		less := &chain.Witness{Headers: w.Headers, Codes: w.Codes, State: slices.Delete(slices.Clone(w.State), i, i+1)}
		if !fails(less) && !proofs[string(node)] {
			t.Errorf("block %d: go-ethereum does without node %d of %d: %x", b.Number(), i, len(w.State), node)
		}
	}
	for i := range w.Codes {
		less := &chain.Witness{Headers: w.Headers, State: w.State, Codes: slices.Delete(slices.Clone(w.Codes), i, i+1)}
		if !fails(less) {
			t.Errorf("block %d: go-ethereum does without code %d of %d", b.Number(), i, len(w.Codes))
		}
	}
}

// Random transactions among many accounts, with blocks so large that several goroutines
// make the witness.
func TestGoEthereumExecutesRandomBlocksByTheirWitness(t *testing.T) {
	seeds := int64(8)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			m := standard(seed*2, 6+int(seed)*7)
			r := rand.New(rand.NewSource(seed))
			for i := range 3000 {
				m.g.Alloc[stranger(i)] = types.Account{Balance: big.NewInt(1)}
			}
			balances := m.g.Alloc[tokenAddr].Storage
			for i := range 2000 {
				addr := stranger(i)
				balances[common.BytesToHash(addr[:])] = common.Hash{31: 9}
			}
			rig := newStandardRig(t, m)
			if seed%2 == 1 {
				rig.baseFee = nil
			}
			for _, size := range []int{1, 40, 1500, 300} {
				left := size
				rig.block(func() *chain.Tx {
					for left--; left >= 0; {
						if tx := m.standardTx(r); tx != nil {
							return tx
						}
					}
					return nil
				})
			}
		})
	}
}

// standardTx is a random transaction that is no deposit and below Ethereum's gas cap.
func (m *mix) standardTx(r *rand.Rand) *chain.Tx {
	from := r.Intn(len(m.keys))
	acc, _ := m.c.Pending().Account(m.address(from))
	s := &sender{m: m, from: from, nonce: acc.Nonce}
	someone := stranger(r.Intn(3500))
	switch r.Intn(8) {
	case 0:
		return s.tx(&someone, 1, nil)
	case 1:
		return s.ask(someone, uint64(r.Intn(6)), r.Intn(20), m.someone())
	case 2:
		return s.keep(r.Intn(600), r.Intn(2))
	case 3:
		return s.tx(&tokenAddr, 0, append([]byte{0xa9, 5, 9, 0xcb}, words(someone[:], []byte{byte(r.Intn(3))})...))
	case 4:
		doomed := create2Addr(byte(r.Intn(200)), doomedInit)
		return s.tx(&doomed, int64(r.Intn(2)), nil)
	case 5:
		return s.tx(&factoryAddr, 0, append(words([]byte{byte(r.Intn(200))}), doomedInit...))
	}
	if tx := m.next(); !tx.IsDeposit() && tx.Gas() <= params.MaxTxGas {
		return tx
	}
	return nil
}

// Compiled code stops before a segment that the gas does not suffice for; what the gas
// suffices for is in the witness all the same.
func TestAWitnessHoldsWhatATransactionLookedAtBeforeItsGasEnded(t *testing.T) {
	m := standard(2, 12)
	rig := newStandardRig(t, m)
	s := &sender{m: m}
	short := func(slot byte, gas uint64) *chain.Tx {
		s.nonce++
		return s.m.sign(s.from, &types.DynamicFeeTx{
			ChainID: new(big.Int).SetUint64(m.g.Config.ChainID), Nonce: s.nonce - 1, Gas: gas, To: &shortAddr, Value: new(big.Int),
			Data: words([]byte{slot}, stranger(int(slot)).Bytes()), GasFeeCap: big.NewInt(3_000_000), GasTipCap: big.NewInt(1),
		})
	}
	for range 4 { // now it is compiled
		rig.block(list(short(0, 200_000)))
	}
	for slot, gas := range []uint64{0, 22_000, 23_500, 24_000, 26_000, 27_000, 30_000, 50_000, 58_000, 58_500} {
		if gas > 0 {
			rig.block(list(short(byte(slot), gas)))
		}
	}
	openNext(t, rig.serial)
	rig.serial.rec.budget.Store(0)
	if _, err := rig.serial.Apply(short(0, 57_950)); err != nil {
		t.Fatal(err)
	}
	rig.serial.Cut(1)
	if _, _, err := rig.serial.Seal(); err != nil || rig.serial.Witness() != nil {
		t.Errorf("%v, a witness of a block of which it is not known what it looked at: %v", err, rig.serial.Witness() != nil)
	}
}

// Without the wish there is no witness, and the wish counts from the next block on.
func TestAWitnessIsMadeOnlyWhereItIsWanted(t *testing.T) {
	m := standard(2, 4)
	c := m.boot(t, 1)
	defer c.Close()
	s := &sender{m: m}
	seal := func() *chain.Witness {
		t.Helper()
		if _, err := c.Apply(s.keep(1, 1)); err != nil {
			t.Fatal(err)
		}
		c.Cut(1)
		if _, _, err := c.Seal(); err != nil {
			t.Fatal(err)
		}
		return c.Witness()
	}
	openNext(t, c)
	c.SetWitness(true)
	if seal() != nil {
		t.Error("a witness of a block that was open before")
	}
	openNext(t, c)
	c.SetWitness(false)
	if seal() == nil {
		t.Error("no witness")
	}
	openNext(t, c)
	if seal() != nil {
		t.Error("a witness that nobody wanted")
	}
}

// A chain that continues knows the older headers only if it is told them.
func TestAWitnessHoldsHeadersFromBeforeTheStart(t *testing.T) {
	m := standard(2, 4)
	first := m.boot(t, 1)
	defer first.Close()
	headers, hashes := make(map[uint64]*types.Header), make(map[uint64]common.Hash)
	for range 4 {
		h := first.Parent()
		headers[h.Number.Uint64()], hashes[h.Number.Uint64()] = h, h.Hash()
		openNext(t, first)
		first.Cut(1)
		if _, _, err := first.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	for name, known := range map[string]map[uint64]*types.Header{"told": headers, "not told": nil} {
		c := NewChain(&m.g.Config, first.db, first.trie, Position{
			Parent: first.Parent(), Ancestors: hashes, Headers: maps.Clone(known), NextMini: first.NextMini(), LastMiniHash: first.lastMiniHash})
		c.SetWitness(true)
		openNext(t, c)
		if _, err := c.Apply((&sender{m: m}).ask(common.Address{1}, 2, 0, common.Address{2})); err != nil {
			t.Fatal(err)
		}
		if c.sealWitness(nil); (c.Witness() != nil) != (known != nil) {
			t.Errorf("%s: witness %v", name, c.Witness())
		} else if known != nil && (len(c.Witness().Headers) != 3 || c.Witness().Headers[0].Number.Uint64() != 2) {
			t.Errorf("%d headers", len(c.Witness().Headers))
		}
		c.Close()
	}
}

// What is adopted is not executed: there is nothing to record.
func TestABlockWithAnAdoptedMiniBlockHasNoWitness(t *testing.T) {
	m := standard(2, 4)
	leader, follower := m.boot(t, 1), m.boot(t, 1)
	defer leader.Close()
	defer follower.Close()
	follower.SetWitness(true)
	s := &sender{m: m}
	openNext(t, leader)
	if _, err := leader.Apply(s.keep(1, 1)); err != nil {
		t.Fatal(err)
	}
	first, _ := leader.Cut(genesisTime*1_000_000 + 2_000_000)
	_, _, a := leader.OpenBlock()
	openNext(t, follower)
	if i, err := follower.ApplyAll(first.Txs); err != nil {
		t.Fatal(i, err)
	}
	follower.Cut(first.Header.TimestampMicros)
	if _, err := leader.Apply(s.keep(2, 1)); err != nil {
		t.Fatal(err)
	}
	second, _ := leader.Cut(first.Header.TimestampMicros + 1)
	if _, err := follower.Adopt(second, a); err != nil {
		t.Fatal(err)
	}
	if _, _, err := follower.Seal(); err != nil {
		t.Fatal(err)
	}
	if follower.Witness() != nil {
		t.Error("a witness of a block of which half was executed")
	}
}
