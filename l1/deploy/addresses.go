package deploy

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
)

// Addresses are where a chain's contracts are on L1: proxies, unless said otherwise.
type Addresses struct {
	Portal                 common.Address `json:"portal"`
	SystemConfig           common.Address `json:"systemConfig"`
	Pause                  common.Address `json:"pause"`
	DisputeGameFactory     common.Address `json:"disputeGameFactory"`
	AnchorStateRegistry    common.Address `json:"anchorStateRegistry"`
	BondVault              common.Address `json:"bondVault"`
	ChallengerStakes       common.Address `json:"challengerStakes"`
	HybridGame             common.Address `json:"hybridGame"` // what games are clones of
	L1CrossDomainMessenger common.Address `json:"l1CrossDomainMessenger"`
	L1StandardBridge       common.Address `json:"l1StandardBridge"`
	// NativeTokenBridge is zero where the currency of L2 is ether.
	NativeTokenBridge common.Address `json:"nativeTokenBridge"`
	InstantExit       common.Address `json:"instantExit"`
	Checkpoints       common.Address `json:"checkpoints"` // of blocks that the sequencer has signed
	// OperatorRegistry and CertificateVerifier are of the committee that keeps data, if the
	// chain uses one.
	OperatorRegistry    common.Address `json:"operatorRegistry"`
	CertificateVerifier common.Address `json:"certificateVerifier"`
	Timelock            common.Address `json:"timelock"` // not a proxy
}

// ByName lists the addresses that are not zero under their JSON names.
func (a *Addresses) ByName() map[string]common.Address {
	all := map[string]common.Address{
		"portal": a.Portal, "systemConfig": a.SystemConfig, "pause": a.Pause,
		"disputeGameFactory": a.DisputeGameFactory, "anchorStateRegistry": a.AnchorStateRegistry,
		"bondVault": a.BondVault, "challengerStakes": a.ChallengerStakes, "hybridGame": a.HybridGame,
		"l1CrossDomainMessenger": a.L1CrossDomainMessenger, "l1StandardBridge": a.L1StandardBridge,
		"nativeTokenBridge": a.NativeTokenBridge, "timelock": a.Timelock,
		"instantExit": a.InstantExit, "checkpoints": a.Checkpoints,
		"operatorRegistry": a.OperatorRegistry, "certificateVerifier": a.CertificateVerifier,
	}
	for name, addr := range all {
		if addr == (common.Address{}) {
			delete(all, name)
		}
	}
	return all
}

// Configure writes the addresses that a node needs into its configuration.
func (a *Addresses) Configure(cfg *chain.Config) {
	cfg.Portal, cfg.SystemConfig, cfg.DisputeGameFactory = a.Portal, a.SystemConfig, a.DisputeGameFactory
	cfg.L1CrossDomainMessenger, cfg.L1StandardBridge = a.L1CrossDomainMessenger, a.L1StandardBridge
	cfg.CertificateVerifier = a.CertificateVerifier
}
