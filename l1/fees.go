package l1

import (
	"encoding/json"
	"math/big"

	"github.com/ethereum/go-ethereum/consensus/misc/eip4844"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
)

// rawMessage is undecoded JSON.
type rawMessage = json.RawMessage

func unmarshal(raw []byte, into any) error { return json.Unmarshal(raw, into) }

// blobFees computes a block's blob base fee, which headers do not carry: it follows
// from the excess blob gas and from the parameters of the fork (EIP-7840, EIP-7892).
type blobFees struct {
	config *params.ChainConfig
	public bool // one of the public networks
}

// newBlobFees knows the schedules of the public networks. Any other chain is taken to
// use the parameters of Prague and Osaka from its genesis on, as development chains do.
func newBlobFees(chainID *big.Int) *blobFees {
	for _, c := range []*params.ChainConfig{
		params.MainnetChainConfig, params.SepoliaChainConfig, params.HoodiChainConfig,
	} {
		if c.ChainID.Cmp(chainID) == 0 {
			return &blobFees{config: c, public: true}
		}
	}
	zero := uint64(0)
	return &blobFees{config: &params.ChainConfig{
		ChainID: chainID, LondonBlock: new(big.Int),
		ShanghaiTime: &zero, CancunTime: &zero, PragueTime: &zero, OsakaTime: &zero,
		BlobScheduleConfig: &params.BlobScheduleConfig{
			Cancun: params.DefaultCancunBlobConfig, Prague: params.DefaultPragueBlobConfig,
		},
	}}
}

// of is the blob base fee in wei per blob gas; 1 before Cancun (EIP-4844's minimum).
func (f *blobFees) of(h *types.Header) *big.Int {
	if h.ExcessBlobGas == nil || !f.config.IsCancun(h.Number, h.Time) {
		return big.NewInt(1)
	}
	return eip4844.CalcBlobFee(f.config, h)
}
