package rpc

import (
	"context"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// Exits is what a node knows of the way out of its chain.
type Exits interface {
	// WithdrawalStatus tells where a withdrawal stands. hash is its own, or that of the
	// transaction that made it, of which index counts the withdrawals. Nil: there is none.
	WithdrawalStatus(ctx context.Context, hash common.Hash, index uint64) (*WithdrawalStatus, error)
	// Attestation is the newest block that the sequencer has signed for L1, if it is of
	// that height or a later one; nil: it is not, or there is none.
	Attestation(ctx context.Context, number uint64) (*Attestation, error)
	// L1Contracts are the chain's contracts on L1 by their names. It must not be changed.
	L1Contracts() map[string]common.Address
}

// WithdrawalStatus is where a withdrawal stands (package bridge has the states).
type WithdrawalStatus struct {
	Hash, TxHash common.Hash
	Block        uint64
	Index, Count uint64 // among the withdrawals of its transaction

	Nonce          *big.Int
	Sender, Target common.Address
	Value          *big.Int // wei
	GasLimit       *big.Int
	Data           []byte

	State, Reason string
	ETA           uint64 // when it can be paid, in seconds since 1970; 0: paid, or not known
	Repayment     string // how far it is itself, once the pool has paid it; else empty

	Game       common.Address // the claim it was proven under, or is to be; zero: none
	ClaimIndex uint64         // of the claim to prove it under
	ClaimBlock uint64
	ProvenBy   common.Address // whose proof counts; zero: it is not proven under a claim that counts
	Resolvable bool           // that claim waits for somebody to resolve it
	Payout     *big.Int       // wei that the pool has paid; nil: it has not
}

// Attestation is a signature of a block for SignedCheckpoints on L1.
type Attestation struct {
	Number    uint64
	Hash      common.Hash
	Signature []byte // 65 bytes
}

// exitMethods are about the way between the layers.
func (s *Server) exitMethods(t methodTable) {
	const shown = "rpc.TestAWithdrawalTellsOneStateOneTimeAndOneReason"
	t.slow("talaria_withdrawalStatus", 2, s.withdrawalStatus).doc("Where a withdrawal stands, by its hash or its transaction's and its index there: one state, when it can be paid (`eta`, ms), one reason, and under which claim to prove it", shown)
	t.read("talaria_attestation", 1, s.attestation).doc("The newest block that the sequencer has signed for `SignedCheckpoints` on L1, if it is of the given number or later; null: it is not, or none is signed", shown)
	t.read("talaria_l1Contracts", 0, s.l1Contracts).doc("The chain ids of both layers, the chain's contracts on L1, and its native currency: name, symbol and, where that is a token of L1, `l1Token` and the token of L2 that stands for ether, `l2Ether`", shown)
}

func (s *Server) withdrawalStatus(c *call, a *args) (rawJSON, error) {
	hash, index := a.hash(0), readOr(a, 1, 0, decodeCount)
	if a.err != nil {
		return nil, a.err
	}
	st, err := s.backend.WithdrawalStatus(c.ctx, hash, index)
	if err != nil || st == nil {
		return nil, err
	}
	w := newWriter(1024 + 2*len(st.Data))
	w.open('{')
	w.key("withdrawalHash").hex(st.Hash[:])
	w.key("transactionHash").hex(st.TxHash[:])
	w.key("blockNumber").qty(st.Block)
	w.key("index").qty(st.Index)
	w.key("count").qty(st.Count)
	w.key("withdrawal").open('{')
	w.key("nonce").big(st.Nonce)
	w.key("sender").hex(st.Sender[:])
	w.key("target").hex(st.Target[:])
	w.key("value").big(st.Value)
	w.key("gasLimit").big(st.GasLimit)
	w.key("data").hex(st.Data)
	w.shut('}')
	w.key("state").str(st.State)
	w.key("eta")
	if st.ETA == 0 {
		w.null()
	} else {
		w.millis(time.Unix(int64(st.ETA), 0))
	}
	w.key("reason").text(st.Reason)
	w.key("claim")
	switch {
	case st.Game == (common.Address{}):
		w.null()
	default:
		w.open('{')
		w.key("game").hex(st.Game[:])
		if st.ProvenBy == (common.Address{}) {
			w.key("index").qty(st.ClaimIndex)
			w.key("blockNumber").qty(st.ClaimBlock)
		} else {
			w.key("provenBy").hex(st.ProvenBy[:])
			w.key("resolvable").bool(st.Resolvable)
		}
		w.shut('}')
	}
	if st.Payout != nil {
		w.key("payout").big(st.Payout)
		w.key("repayment").str(st.Repayment)
	}
	w.shut('}')
	return w.b, nil
}

func (s *Server) attestation(c *call, a *args) (rawJSON, error) {
	number := read(a, 0, decodeCount)
	if a.err != nil {
		return nil, a.err
	}
	at, err := s.backend.Attestation(c.ctx, number)
	if err != nil || at == nil {
		return nil, err
	}
	w := newWriter(512)
	w.open('{')
	w.key("blockNumber").qty(at.Number)
	w.key("blockHash").hex(at.Hash[:])
	w.key("signature").hex(at.Signature)
	w.shut('}')
	return w.b, nil
}

func (s *Server) l1Contracts(*call, *args) (rawJSON, error) {
	contracts := s.backend.L1Contracts()
	cfg := s.backend.Config()
	w := newWriter(2048)
	w.open('{')
	w.key("l1ChainId").qty(cfg.L1ChainID)
	w.key("l2ChainId").qty(cfg.ChainID)
	w.key("contracts").open('{')
	for _, name := range slices.Sorted(maps.Keys(contracts)) {
		addr := contracts[name]
		w.key(name).hex(addr[:])
	}
	w.shut('}')
	w.key("nativeCurrency").open('{')
	w.key("name").text(cfg.GasToken.CurrencyName())
	w.key("symbol").text(cfg.GasToken.CurrencySymbol())
	w.key("decimals").int(18)
	if t := cfg.GasToken; !t.IsZero() {
		w.key("l1Token").hex(t.Token[:])
		w.key("l2Ether").hex(t.L2Ether[:])
	}
	w.shut('}')
	w.shut('}')
	return w.b, nil
}
