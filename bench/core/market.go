package core

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// pools is the number of pairs, with two tokens each, where there are several.
const pools = 64

// Where contracts stand in these workloads.
var (
	badgeAddr  = common.HexToAddress("0x000000000000000000000000000000000000bad6")
	routerAddr = common.HexToAddress("0x0000000000000000000000000000000000002041")
)

func coinAddr(n int) common.Address {
	return common.BytesToAddress([]byte{0xc0, 0x1e, byte(n >> 8), byte(n)})
}

func pairAddr(n int) common.Address {
	return common.BytesToAddress([]byte{0xfa, 0x1e, byte(n >> 8), byte(n)})
}

// units is n tokens of 18 decimals.
func units(n uint64) *uint256.Int {
	return new(uint256.Int).Mul(uint256.NewInt(n), uint256.NewInt(1e18))
}

// mapped is the slot of a key in the mapping at slot, as Solidity lays it out.
func mapped(key, slot common.Hash) common.Hash { return crypto.Keccak256Hash(key[:], slot[:]) }

// funded gives every sender ether, and the state its bystanders.
func (s *suite) funded(senders []account) types.GenesisAlloc {
	alloc := make(types.GenesisAlloc, len(senders)+s.bystanders)
	for i := range senders {
		alloc[senders[i].address] = types.Account{Balance: ether}
	}
	for i := range s.bystanders {
		alloc[bystander(i)] = types.Account{Balance: big.NewInt(int64(i + 1))}
	}
	return alloc
}

// coin is an OpenZeppelin ERC-20 whose holders have a million each, and have allowed
// the router everything.
func coin(holders ...common.Address) types.Account {
	storage := make(map[common.Hash]common.Hash, 2*len(holders)+1)
	for _, h := range holders {
		storage[mapped(addressWord(h), word(0))] = common.Hash(units(1_000_000).Bytes32())
		storage[mapped(addressWord(routerAddr), mapped(addressWord(h), word(1)))] = common.MaxHash
	}
	storage[word(2)] = common.Hash(units(1_000_000 * uint64(len(holders))).Bytes32())
	return types.Account{Code: program("Coin").Runtime, Nonce: 1, Storage: storage}
}

func addresses(list []account) []common.Address {
	out := make([]common.Address, len(list))
	for i := range list {
		out[i] = list[i].address
	}
	return out
}

// transfers moves ether between accounts that have some already.
func (s *suite) transfers(rounds int) *Workload {
	senders := accounts(s.txs)
	w := &Workload{Name: "transfer", Group: Transfers, Config: s.cfg, Alloc: s.funded(senders), Check: succeed}
	w.Blocks = s.blocks(rounds, func(i int) *chain.Tx {
		to := bystander(i * 37 % s.bystanders)
		return s.transaction(&senders[i], &to, 21_000, 1_000, nil)
	})
	return w
}

// blocks is a block a round with the transactions that make returns for 0 to txs.
func (s *suite) blocks(rounds int, make func(i int) *chain.Tx) []Block {
	list := []Block{}
	for range rounds {
		b := Block{Env: s.env()}
		for i := range s.txs {
			b.Txs = append(b.Txs, make(i))
		}
		list = append(list, b)
	}
	return list
}

// newTransfers moves ether to accounts that did not exist.
func (s *suite) newTransfers() *Workload {
	senders := accounts(s.txs)
	w := &Workload{Name: "transfer to a new account", Group: Transfers, Config: s.cfg, Alloc: s.funded(senders), Check: succeed}
	w.Blocks = s.blocks(1, func(i int) *chain.Tx {
		to := bystander(s.bystanders + i)
		return s.transaction(&senders[i], &to, 21_000, 1_000, nil)
	})
	return w
}

// tokenTransfers are independent transfers of one OpenZeppelin ERC-20.
func (s *suite) tokenTransfers(rounds int) *Workload {
	senders := accounts(s.txs)
	w := &Workload{Name: "ERC-20 transfer", Group: Tokens, Config: s.cfg, Alloc: s.funded(senders), Check: succeed}
	holders := addresses(senders)
	for i := range s.bystanders {
		holders = append(holders, bystander(i))
	}
	w.Alloc[coinAddr(0)] = coin(holders...)
	to := coinAddr(0)
	w.Blocks = s.blocks(rounds, func(i int) *chain.Tx {
		data := calldata(selector("transfer(address,uint256)"), addressWord(bystander(i*37%s.bystanders)), word(uint64(i+1)))
		return s.transaction(&senders[i], &to, 100_000, 0, data)
	})
	return w
}

// swaps sell tokens through a router, every second time in the other direction; the
// i-th goes to pair i modulo n.
func (s *suite) swaps(name string, n, rounds int) *Workload {
	senders := accounts(s.txs)
	w := &Workload{Name: name, Group: Tokens, Config: s.cfg, Alloc: s.funded(senders), Check: succeed}
	w.Alloc[routerAddr] = types.Account{Code: program("Router").Runtime, Nonce: 1}
	for p := range n {
		holders := []common.Address{pairAddr(p)}
		for i := p; i < len(senders); i += n {
			holders = append(holders, senders[i].address)
		}
		w.Alloc[coinAddr(2*p)], w.Alloc[coinAddr(2*p+1)] = coin(holders...), coin(holders...)
		w.Alloc[pairAddr(p)] = pair(coinAddr(2*p), coinAddr(2*p+1))
	}
	w.Blocks = s.blocks(rounds, func(i int) *chain.Tx {
		first := uint64(i / n % 2)
		data := calldata(selector("sell(address,bool,uint256)"), addressWord(pairAddr(i%n)), word(first),
			common.Hash(units(uint64(i%50+1)).Bytes32()))
		return s.transaction(&senders[i], &routerAddr, 300_000, 0, data)
	})
	return w
}

// pair is a pair with a million of each token.
func pair(token0, token1 common.Address) types.Account {
	var packed uint256.Int
	packed.Lsh(units(1_000_000), 112)
	packed.Or(&packed, units(1_000_000))
	var since uint256.Int
	since.Lsh(uint256.NewInt(1_700_000_000), 224)
	packed.Or(&packed, &since)
	return types.Account{Code: program("Pair").Runtime, Nonce: 1, Storage: map[common.Hash]common.Hash{
		word(0): word(1), word(1): addressWord(token0), word(2): addressWord(token1),
		word(3): common.Hash(packed.Bytes32()), word(4): word(1), word(5): word(1),
	}}
}

// mints are mints of one OpenZeppelin ERC-721, which all bump one counter.
func (s *suite) mints() *Workload {
	senders := accounts(s.txs)
	w := &Workload{Name: "ERC-721 mint", Group: Tokens, Config: s.cfg, Alloc: s.funded(senders), Check: succeed}
	w.Alloc[badgeAddr] = types.Account{Code: program("Badge").Runtime, Nonce: 1}
	w.Blocks = s.blocks(1, func(i int) *chain.Tx {
		return s.transaction(&senders[i], &badgeAddr, 200_000, 0, selector("mint()"))
	})
	return w
}

// deployments create a contract each.
func (s *suite) deployments(name, contract string, n int) *Workload {
	senders := accounts(n)
	w := &Workload{Name: name, Group: Deployments, Config: s.cfg, Alloc: s.funded(senders), Check: succeed}
	txs := make([]*chain.Tx, n)
	for i := range txs {
		txs[i] = s.transaction(&senders[i], nil, 3_000_000, 0, program(contract).Create)
	}
	w.Blocks = []Block{{s.env(), txs}}
	return w
}

// largeCall runs through a contract of the largest size once: every block of 32 bytes
// adds a word and jumps over what would stop it.
func (s *suite) largeCall() *Workload {
	return s.single("call through 512 KB", Large, largeCode(int(s.cfg.MaxCodeSize)), nil, nil)
}

// largeCalls are calls of a small function of a contract of the largest size, where
// what counts is how the code is found and analysed.
func (s *suite) largeCalls() *Workload {
	senders := accounts(s.txs)
	w := &Workload{Name: "small calls of 512 KB", Group: Large, Config: s.cfg, Alloc: s.funded(senders), Check: succeed}
	code := new(assembler).push(0).op(vm.SLOAD).push(1).op(vm.ADD).push(0).op(vm.SSTORE, vm.STOP).code
	w.Alloc[programAddr] = types.Account{Code: append(code, largeCode(int(s.cfg.MaxCodeSize)-len(code))...), Nonce: 1}
	w.Blocks = s.blocks(1, func(i int) *chain.Tx { return s.transaction(&senders[i], &programAddr, 100_000, 0, nil) })
	return w
}

// largeCode is a program of exactly size bytes that runs from its start to its end.
func largeCode(size int) []byte {
	var a assembler
	a.pushBytes(constant(0))
	end := new(assembler).push(0).op(vm.MSTORE).push(32).push(0).op(vm.RETURN).code
	for n := 0; len(a.code)+64 <= size-len(end); n++ {
		a.pushBytes(constant(n % 64)[:24]).op(vm.ADD, vm.DUP1).push(uint64(n%31)).op(vm.SHR, vm.XOR)
	}
	for len(a.code) < size-len(end) {
		a.op(vm.JUMPDEST)
	}
	return append(a.code, end...)
}

// blobs create n contracts of size bytes each, by initcode that only copies.
func (s *suite) blobs(name string, size, n int) *Workload {
	senders := accounts(n)
	w := &Workload{Name: name, Group: Deployments, Config: s.cfg, Alloc: s.funded(senders), Check: succeed}
	txs := make([]*chain.Tx, n)
	for i := range txs {
		txs[i] = s.transaction(&senders[i], nil, 200_000_000, 0, initcode(largeCode(size)))
	}
	w.Blocks = []Block{{s.env(), txs}}
	return w
}

// initcode returns what follows it.
func initcode(code []byte) []byte {
	var a assembler
	size := len(code)
	a.pushBytes([]byte{byte(size >> 16), byte(size >> 8), byte(size)}).op(vm.DUP1).push(13)
	a.op(vm.PUSH0, vm.CODECOPY, vm.PUSH0, vm.RETURN)
	for len(a.code) < 13 {
		a.op(vm.STOP)
	}
	return append(a.code, code...)
}
