package bench

import (
	_ "embed" // creation bytecode
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Workloads of a presigned run, besides Transfer and ERC20.
const (
	Hot     = "hot"     // 1 wei, everybody to the same account
	Swap    = "swap"    // a trade with a constant-product pair that the run deploys
	Compute = "compute" // computeRounds rounds of arithmetic and keccak256
	Storage = "storage" // storageSlots new storage slots
	Mixed   = "mixed"   // several of them, by weight
)

const (
	computeRounds = 100
	storageSlots  = 4
)

// DefaultMix is the weights of Mixed.
const DefaultMix = "transfer=40,erc20=30,swap=15,compute=10,storage=5"

//go:embed funder.hex
var funderHex string

//go:embed pair.hex
var pairHex string

//go:embed work.hex
var workHex string

// kind is what one transaction does.
type kind uint8

const (
	kindTransfer kind = iota
	kindHot
	kindERC20
	kindSwap
	kindCompute
	kindStorage
	kinds
)

func kindNames() []string { return []string{Transfer, Hot, ERC20, Swap, Compute, Storage} }

// weights reads "transfer=3,swap=1", or takes a workload that is a single kind.
func weights(workload, mix string) (w [kinds]uint, err error) {
	if workload != Mixed {
		mix = workload + "=1"
	}
	var sum uint64
next:
	for part := range strings.SplitSeq(mix, ",") {
		name, number, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return w, fmt.Errorf("mix %q: %q must be workload=weight, weight 0..65535", mix, part)
		}
		for k, known := range kindNames() {
			if name == known {
				w[k] += uint(n)
				sum += n
				continue next
			}
		}
		return w, fmt.Errorf("workload %q: allowed are %s and %s", name, strings.Join(kindNames(), ", "), Mixed)
	}
	if sum == 0 {
		return w, fmt.Errorf("mix %q: no weight is above 0", mix)
	}
	return w, nil
}

// draw picks a kind by weight.
func draw(w *[kinds]uint, rng *rand.Rand) kind {
	var sum uint
	for _, n := range w {
		sum += n
	}
	at := rng.UintN(sum)
	for k, n := range w {
		if at < n {
			return kind(k)
		}
		at -= n
	}
	return kindTransfer
}

// program is what a run has deployed and what a transaction of each kind may use.
type program struct {
	hot     common.Address
	hotHeld *big.Int // wei of hot before the run
	token   common.Address
	pair    common.Address
	token0  common.Address // of the pair
	token1  common.Address
	work    common.Address
	gas     [kinds]uint64
}

// ceiling bounds the gas of each kind until it is measured.
func ceiling() [kinds]uint64 {
	return [kinds]uint64{21_000, 21_000, 100_000, 300_000, 200_000, 300_000}
}

// traded is what one swap sells: 1e-3 of a token.
const traded = 1_000_000_000_000_000

// body is the recipient, value and data of a transaction.
func (g *program) body(k kind, peer common.Address) (to common.Address, value *big.Int, data []byte) {
	zero := new(big.Int)
	switch k {
	case kindHot:
		return g.hot, unit, nil
	case kindERC20:
		return g.token, zero, transferData(peer, unit)
	case kindSwap:
		return g.pair, zero, encode("swap(uint256,uint256)", big.NewInt(traded), unit)
	case kindCompute:
		return g.work, zero, encode("compute(uint256)", big.NewInt(computeRounds))
	case kindStorage:
		return g.work, zero, encode("write(uint256)", big.NewInt(storageSlots))
	default:
		return peer, unit, nil
	}
}

// encode makes the data of a call with words as arguments.
func encode(signature string, words ...*big.Int) []byte {
	data := append([]byte{}, crypto.Keccak256([]byte(signature))[:4]...)
	for _, w := range words {
		data = append(data, common.LeftPadBytes(w.Bytes(), 32)...)
	}
	return data
}

func word(a common.Address) *big.Int { return new(big.Int).SetBytes(a[:]) }

// spreadData encodes BenchFunder.spread.
func spreadData(token common.Address, to []common.Address, eachWei, eachUnits *big.Int) []byte {
	words := []*big.Int{word(token), big.NewInt(4 * 32), eachWei, eachUnits, big.NewInt(int64(len(to)))}
	for _, a := range to {
		words = append(words, word(a))
	}
	return encode("spread(address,address[],uint256,uint256)", words...)
}

// digestAfter is BenchWork.digest of an account after calls of compute.
func digestAfter(calls int) *big.Int {
	var buf [32]byte
	h, mask := new(big.Int), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
	for range calls {
		for i := range computeRounds {
			h.Mul(h, h).Add(h, big.NewInt(int64(i))).And(h, mask)
			h.SetBytes(crypto.Keccak256(h.FillBytes(buf[:])))
		}
	}
	return h
}

// pairStart is both reserves of a new pair.
func pairStart() *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(24), nil) }

// reserves is a pair's state as swaps change it.
type reserves struct{ r0, r1 *big.Int }

// swap applies one swap of the run and returns what it pays out.
func (r *reserves) swap() *big.Int {
	taxed := big.NewInt(traded * 997 / 1000)
	taxed.SetUint64(traded).Mul(taxed, big.NewInt(997))
	out := new(big.Int).Mul(taxed, r.r1)
	out.Div(out, taxed.Add(taxed, new(big.Int).Mul(r.r0, big.NewInt(1000))))
	r.r0.Add(r.r0, big.NewInt(traded))
	r.r1.Sub(r.r1, out)
	return out
}
