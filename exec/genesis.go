package exec

import (
	"bytes"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// GenesisDiff is the state that the genesis file allocates.
func GenesisDiff(g *chain.Genesis) (state.Diff, error) {
	diff := make(state.Diff, 0, len(g.Alloc))
	for addr, acc := range g.Alloc {
		balance := new(uint256.Int)
		if acc.Balance != nil {
			if acc.Balance.Sign() < 0 || balance.SetFromBig(acc.Balance) {
				return nil, fmt.Errorf("genesis: balance of %s is outside 0..2^256-1", addr)
			}
		}
		nonce := acc.Nonce
		d := state.AccountDiff{Address: addr, Nonce: &nonce, Balance: balance}
		if len(acc.Code) > 0 {
			d.Code, d.CodeChanged = acc.Code, true
		}
		for slot, value := range acc.Storage {
			if value != (common.Hash{}) {
				d.Storage = append(d.Storage, state.SlotDiff{Slot: slot, Value: value})
			}
		}
		slices.SortFunc(d.Storage, func(a, b state.SlotDiff) int { return bytes.Compare(a.Slot[:], b.Slot[:]) })
		diff = append(diff, d)
	}
	slices.SortFunc(diff, func(a, b state.AccountDiff) int { return bytes.Compare(a.Address[:], b.Address[:]) })
	return diff, nil
}

// GenesisBlock is block 0 of g over the state whose root is given.
func GenesisBlock(g *chain.Genesis, root, messagePasserRoot common.Hash) *chain.Block {
	cfg := &g.Config
	header := newHeader(chain.Attributes{Timestamp: g.Timestamp, Params: cfg.BlockParams()})
	header.Number = new(big.Int)
	header.BaseFee = new(big.Int).SetUint64(max(cfg.MinBaseFee, chain.DefaultBaseFee))
	header.Root = root
	header.WithdrawalsHash = &messagePasserRoot
	header.TxHash, header.ReceiptHash = types.EmptyTxsHash, types.EmptyReceiptsHash
	header.Extra = extra(cfg.BlockParams(), common.Hash{})
	return chain.NewBlock(header, nil, nil, nil)
}

func extra(p chain.BlockParams, lastMiniBlock common.Hash) []byte {
	return chain.Extra{
		Denominator: p.Denominator, Elasticity: p.Elasticity,
		MinBaseFee: p.MinBaseFee, LastMiniBlock: lastMiniBlock,
	}.Encode()
}

// newHeader fills in what every header of the chain has in common.
func newHeader(a chain.Attributes) *types.Header {
	zero := uint64(0)
	blobGas, excess := zero, zero
	beacon, requests := a.ParentBeacon, types.EmptyRequestsHash
	return &types.Header{
		UncleHash: types.EmptyUncleHash, Coinbase: chain.SequencerFeeVaultAddr,
		Difficulty: new(big.Int), GasLimit: a.Params.GasLimit, Time: a.Timestamp, MixDigest: a.PrevRandao,
		BlobGasUsed: &blobGas, ExcessBlobGas: &excess, ParentBeaconRoot: &beacon, RequestsHash: &requests,
	}
}
