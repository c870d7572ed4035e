package chain

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// EtherToken stands for ether where a token's address is asked for.
var EtherToken = common.HexToAddress("0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE")

// GasToken is the token of L1 that is the native currency of L2. The zero value says that
// the currency is ether.
type GasToken struct {
	Token  common.Address `json:"token"`  // ERC-20 on L1, with 18 decimals
	Bridge common.Address `json:"bridge"` // NativeTokenBridge of L1, which holds it
	Name   string         `json:"name"`   // 1..32 bytes
	Symbol string         `json:"symbol"` // 1..32 bytes
	// L2Ether is the token on L2 that stands for ether.
	L2Ether common.Address `json:"l2Ether"`
	// Rate is what L1 begins with; it may change there.
	Rate TokenRate `json:"rate"`
}

// IsZero tells whether the native currency is ether.
func (g GasToken) IsZero() bool { return g == GasToken{} }

// CurrencyName is the name of the native currency.
func (g GasToken) CurrencyName() string {
	if g.IsZero() {
		return "Ether"
	}
	return g.Name
}

// CurrencySymbol is the symbol of the native currency.
func (g GasToken) CurrencySymbol() string {
	if g.IsZero() {
		return "ETH"
	}
	return g.Symbol
}

// Check returns what is wrong with the description, naming the field.
func (g GasToken) Check() error {
	if g.IsZero() {
		return nil
	}
	zero := common.Address{}
	switch {
	case g.Token == zero || g.Bridge == zero || g.L2Ether == zero:
		return fmt.Errorf("gasToken: token, bridge, l2Ether: must not be zero")
	case g.Rate.Rate == 0 || g.Rate.Then == 0:
		return fmt.Errorf("gasToken: rate: must not be zero, now or when it is stale")
	}
	for field, text := range map[string]string{"name": g.Name, "symbol": g.Symbol} {
		if len(text) == 0 || len(text) > 32 || strings.Contains(text, "\x00") {
			return fmt.Errorf("gasToken: %s %q: must be 1..32 bytes, none of them zero", field, text)
		}
	}
	return nil
}

// TokenRate is what ether is worth in the native currency where that is a token, in wei of
// it for one gwei of ether. The zero value: the currency is ether. One that L1 has not
// renewed is followed by Then, which counts until it has.
type TokenRate struct {
	Rate  uint64 `json:"rate"`  // before Until
	Until uint64 `json:"until"` // seconds
	Then  uint64 `json:"then"`  // from Until on
}

// At is what counts at the time of an L1 block, in seconds; 0: the currency is ether.
func (r TokenRate) At(timestamp uint64) uint64 {
	if timestamp < r.Until {
		return r.Rate
	}
	return r.Then
}

// Slots of L1Block that say what the native currency is: keccak256 of a name, less 1. The
// first three are those of the OP Stack.
var (
	GasTokenSlot       = nameSlot("opstack.gaspayingtoken") // address, below one byte of decimals
	GasTokenNameSlot   = nameSlot("opstack.gaspayingtokenname")
	GasTokenSymbolSlot = nameSlot("opstack.gaspayingtokensymbol")
	GasTokenRateSlot   = nameSlot("talaria.gastokenrate")
)

func nameSlot(name string) common.Hash {
	n := new(uint256.Int).SetBytes(crypto.Keccak256([]byte(name)))
	return n.SubUint64(n, 1).Bytes32()
}

// Word is the rate in one word, as ConfigUpdate events and L1Block's storage have it: rate
// in bits 128..191, until in 64..127, then in 0..63.
func (r TokenRate) Word() (w common.Hash) {
	binary.BigEndian.PutUint64(w[8:], r.Rate)
	binary.BigEndian.PutUint64(w[16:], r.Until)
	binary.BigEndian.PutUint64(w[24:], r.Then)
	return w
}

// TokenRateOf reads the lower 24 bytes of a word.
func TokenRateOf(w common.Hash) TokenRate {
	return TokenRate{Rate: binary.BigEndian.Uint64(w[8:]), Until: binary.BigEndian.Uint64(w[16:]), Then: binary.BigEndian.Uint64(w[24:])}
}

// checkCurrency compares the configuration with what genesis writes into L1Block, by which
// contracts know the native currency.
func (g *Genesis) checkCurrency() error {
	packed := g.Alloc[L1BlockAddr].Storage[GasTokenSlot]
	if got := common.Address(packed[12:]); got != g.Config.GasToken.Token {
		return fmt.Errorf("gasToken: token %v in the configuration, %v in L1Block's storage", g.Config.GasToken.Token, got)
	}
	return nil
}
