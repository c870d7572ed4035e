package rpc

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"

	"github.com/talaria-l2/talaria/chain"
)

// baseFee is the base fee, in wei per gas, that a transaction sent now meets.
func (s *Server) baseFee() *big.Int {
	if p := s.backend.Pending(); p != nil && p.Header.BaseFee != nil {
		return p.Header.BaseFee
	}
	return chain.NextBaseFee(s.backend.Config(), s.backend.Head())
}

// gasPrice is the base fee of the open block plus the suggested tip.
func (s *Server) gasPrice(*call, *args) (rawJSON, error) {
	return bigQuantity(new(big.Int).Add(s.baseFee(), new(big.Int).SetUint64(s.opts.SuggestedTipWei))), nil
}

func (s *Server) maxPriorityFee(*call, *args) (rawJSON, error) {
	return quantity(s.opts.SuggestedTipWei), nil
}

const maxPercentiles = 100

// decodePercentiles reads ascending numbers of 0..100.
func decodePercentiles(raw []byte) (out []float64, err error) {
	if raw[0] != '[' {
		return nil, errors.New("want an array of percentiles")
	}
	elements(raw, func(elem []byte) bool {
		var p float64
		if p, err = strconv.ParseFloat(string(elem), 64); err != nil || p < 0 || p > 100 {
			err = fmt.Errorf("invalid reward percentile: %s", clip(string(elem)))
			return false
		}
		if n := len(out); n > 0 && p <= out[n-1] {
			err = fmt.Errorf("invalid reward percentile: #%d:%f >= #%d:%f", n-1, out[n-1], n, p)
			return false
		}
		out = append(out, p)
		if len(out) > maxPercentiles {
			err = fmt.Errorf("invalid reward percentile: over the query limit %d", maxPercentiles)
			return false
		}
		return true
	})
	return out, err
}

// feeHistory is EIP-1559's fee market over past blocks; "pending" counts as the last
// sealed block. Deposits, which pay nothing, are left out of the rewards.
func (s *Server) feeHistory(c *call, a *args) (rawJSON, error) {
	count := read(a, 0, decodeCount)
	ref := a.block(1)
	percentiles := readOr(a, 2, nil, decodePercentiles)
	if a.err != nil {
		return nil, a.err
	}
	last, _ := s.numberOf(ref)
	if head := s.backend.Head().Number.Uint64(); last > head {
		return nil, Errorf(CodeServer, "request beyond head block: requested %d, head %d", last, head)
	}
	count = min(count, s.opts.MaxFeeBlocks, last+1)
	if len(percentiles) > 0 {
		leave, err := s.scanTurn(c, count)
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	w := newWriter(256 + int(count)*(64+24*len(percentiles)))
	w.open('{')
	if count == 0 {
		w.key("oldestBlock").qty(0)
		w.key("baseFeePerGas").bigs(nil)
		w.key("gasUsedRatio").bigs(nil)
		w.shut('}')
		return w.b, nil
	}
	fees := make([]*big.Int, 0, count+1)
	ratios := make([]float64, 0, count)
	var rewards [][]*big.Int
	for n := last + 1 - count; n <= last; n++ {
		if err := c.ctx.Err(); err != nil {
			return nil, err
		}
		h, err := s.backend.HeaderByNumber(c.ctx, n)
		if err != nil {
			return nil, err
		}
		if h == nil {
			return nil, Errorf(CodeServer, "block %d is not kept by this node", n)
		}
		fees = append(fees, h.BaseFee)
		ratios = append(ratios, float64(h.GasUsed)/float64(h.GasLimit))
		if n == last {
			fees = append(fees, chain.NextBaseFee(s.backend.Config(), h))
		}
		if len(percentiles) == 0 {
			continue
		}
		b, err := s.backend.BlockByNumber(c.ctx, n)
		if err != nil {
			return nil, err
		}
		rewards = append(rewards, rewardsOf(sealedView(b), percentiles))
	}
	w.key("oldestBlock").qty(last + 1 - count)
	if rewards != nil {
		w.key("reward").open('[')
		for _, row := range rewards {
			w.bigs(row)
		}
		w.shut(']')
	}
	w.key("baseFeePerGas").bigs(fees)
	w.key("gasUsedRatio").open('[')
	for _, r := range ratios {
		w.float(r)
	}
	w.shut(']')
	w.key("baseFeePerBlobGas").open('[')
	for range fees {
		w.qty(1)
	}
	w.shut(']')
	w.key("blobGasUsedRatio").open('[')
	for range ratios {
		w.int(0)
	}
	w.shut(']')
	w.shut('}')
	return w.b, nil
}

func (w *writer) bigs(list []*big.Int) {
	w.open('[')
	for _, v := range list {
		w.big(v)
	}
	w.shut(']')
}

// rewardsOf are the tips in wei per gas at the percentiles of the block's gas.
func rewardsOf(v *blockView, percentiles []float64) []*big.Int {
	out := make([]*big.Int, len(percentiles)) // nil is written as zero
	if v == nil {
		return out
	}
	type paid struct {
		gas uint64
		tip *big.Int
	}
	var txs []paid
	var total uint64
	v.each(func(t *TxInfo) bool {
		if !t.Tx.IsDeposit() {
			tip := new(big.Int).Sub(t.Tx.EffectiveGasPrice(v.header.BaseFee), v.header.BaseFee)
			txs = append(txs, paid{t.Receipt.GasUsed, tip})
			total += t.Receipt.GasUsed
		}
		return true
	})
	if len(txs) == 0 {
		return out
	}
	slices.SortStableFunc(txs, func(a, b paid) int { return a.tip.Cmp(b.tip) })
	i, sum := 0, txs[0].gas
	for k, p := range percentiles {
		for threshold := uint64(float64(total) * p / 100); sum < threshold && i < len(txs)-1; {
			i++
			sum += txs[i].gas
		}
		out[k] = txs[i].tip
	}
	return out
}
