package deploy

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/l1/bindings"
)

// GameType is the number of HybridGame in the factory.
const GameType = 7411

// step is one contract to create.
type step struct {
	name string
	addr common.Address
	code func() []byte // creation code with arguments; called when all addresses are known
}

// plan is a deployment before it is sent: steps in the order of their nonces.
type plan struct {
	params Params
	start  uint64 // time of L1 before the deployment, in seconds: L2 begins later
	from   common.Address
	nonce  uint64 // of the next step
	steps  []step
	at     Addresses
}

// add appends a contract and says where it will be.
func (p *plan) add(name string, code func() []byte) common.Address {
	addr := crypto.CreateAddress(p.from, p.nonce)
	p.steps = append(p.steps, step{name, addr, code})
	p.nonce++
	return addr
}

// proxied appends an implementation and its proxy, whose admin the timelock owns. setup is
// what the proxy calls on its implementation once. It insists on a call: what needs no
// setup (nil) is asked its version.
func (p *plan) proxied(name string, code, setup func() []byte) common.Address {
	impl := p.add(name+" implementation", code)
	return p.add(name, func() []byte {
		data := bindings.NewPortal().PackVersion()
		if setup != nil {
			data = setup()
		}
		return creation(bindings.TransparentUpgradeableProxyMetaData.Bin,
			bindings.NewTransparentUpgradeableProxy().PackConstructor(impl, p.at.Timelock, data))
	})
}

func creation(bin string, args []byte) []byte { return append(common.FromHex(bin), args...) }

// newPlan lays a deployment out for an account whose next nonce is given. start is the
// time of L1 in seconds.
func newPlan(from common.Address, nonce, start uint64, params Params) *plan {
	p := &plan{params: params, start: start, from: from, nonce: nonce}
	p.at.Timelock = p.add("timelock", p.timelock)
	p.at.Pause = p.proxied("pause", func() []byte {
		return creation(bindings.PauseMetaData.Bin, bindings.NewPause().PackConstructor(params.PauseDuration, params.PausePeriod))
	}, func() []byte { return bindings.NewPause().PackInitialize(p.at.Timelock, params.Guardian) })
	p.at.SystemConfig = p.proxied("system config", func() []byte {
		return creation(bindings.SystemConfigMetaData.Bin,
			bindings.NewSystemConfig().PackConstructor(params.Chain.BatchInbox, params.Chain.ChainID, p.at.Timelock, params.NativeToken, p.rateBounds()))
	}, func() []byte { return bindings.NewSystemConfig().PackInitialize(params.Owner, p.settings()) })
	p.dispute()
	p.bridge()
	p.pool()
	p.committee()
	return p
}

// timelock lets the owner propose and cancel, and anybody execute.
func (p *plan) timelock() []byte {
	owner, anybody := []common.Address{p.params.Owner}, []common.Address{{}}
	return creation(bindings.TimelockControllerMetaData.Bin,
		bindings.NewTimelockController().PackConstructor(seconds(p.params.TimelockDelay), owner, anybody, common.Address{}))
}

func (p *plan) settings() bindings.SystemConfigSettings {
	c := p.params.Chain
	rate := uint64(0)
	if p.params.NativeToken != (common.Address{}) {
		rate = p.params.Rate.First
	}
	return bindings.SystemConfigSettings{
		GasTokenRate: rate,
		Batcher:      c.Batcher, Sequencer: c.Sequencer,
		BasefeeScalar: c.BaseFeeScalar, BlobbasefeeScalar: c.BlobBaseFeeScalar, DaMode: uint8(c.DAMode),
		GasLimit: uint64(c.GasLimit), MinBaseFee: c.MinBaseFee,
		Eip1559Denominator: c.BaseFeeDenominator, Eip1559Elasticity: c.BaseFeeElasticity,
	}
}

// rateBounds are zero where the currency of L2 is ether.
func (p *plan) rateBounds() bindings.TokenRateBounds {
	if p.params.NativeToken == (common.Address{}) {
		return bindings.TokenRateBounds{}
	}
	return p.params.Rate.bounds()
}

func (p *plan) dispute() {
	p.at.BondVault = p.proxied("bond vault", func() []byte {
		return creation(bindings.BondVaultMetaData.Bin, bindings.NewBondVault().PackConstructor(
			p.params.BondDelay, p.at.Pause, p.at.AnchorStateRegistry, p.at.ChallengerStakes))
	}, nil)
	p.at.AnchorStateRegistry = p.proxied("anchor state registry", func() []byte {
		return creation(bindings.AnchorStateRegistryMetaData.Bin, bindings.NewAnchorStateRegistry().PackConstructor(
			p.at.DisputeGameFactory, p.at.Pause, seconds(p.params.FinalityDelay)))
	}, func() []byte { return bindings.NewAnchorStateRegistry().PackInitialize(p.at.Timelock, GameType) })
	p.at.ChallengerStakes = p.proxied("challenger stakes", func() []byte {
		return creation(bindings.ChallengerStakesMetaData.Bin, bindings.NewChallengerStakes().PackConstructor(
			p.params.ChallengerStake, p.params.BarPeriod, p.at.AnchorStateRegistry, p.at.BondVault))
	}, nil)
	p.at.HybridGame = p.add("hybrid game", func() []byte {
		return creation(bindings.HybridGameMetaData.Bin, bindings.NewHybridGame().PackConstructor(bindings.HybridGameParams{
			GameType: GameType, ChallengeWindow: p.params.ChallengeWindow, Registry: p.at.AnchorStateRegistry, Vault: p.at.BondVault,
			Stakes: p.at.ChallengerStakes, ChainStart: p.start,
		}))
	})
	p.at.DisputeGameFactory = p.proxied("dispute game factory", func() []byte {
		return creation(bindings.DisputeGameFactoryMetaData.Bin, nil)
	}, func() []byte {
		return bindings.NewDisputeGameFactory().PackInitialize(p.at.Timelock, GameType, p.at.HybridGame, p.params.ClaimBond)
	})
}

func (p *plan) bridge() {
	p.at.Portal = p.proxied("portal", func() []byte {
		return creation(bindings.PortalMetaData.Bin, bindings.NewPortal().PackConstructor(bindings.PortalParams{
			Registry: p.at.AnchorStateRegistry, SystemConfig: p.at.SystemConfig,
			NativeEscrow: p.at.NativeTokenBridge, ProofMaturity: seconds(p.params.ProofMaturity),
		}))
	}, nil)
	p.at.L1CrossDomainMessenger = p.proxied("messenger", func() []byte {
		return creation(bindings.L1CrossDomainMessengerMetaData.Bin,
			bindings.NewL1CrossDomainMessenger().PackConstructor(p.at.Portal, p.at.Pause))
	}, nil)
	p.at.L1StandardBridge = p.proxied("standard bridge", func() []byte {
		return creation(bindings.L1StandardBridgeMetaData.Bin,
			bindings.NewL1StandardBridge().PackConstructor(p.at.L1CrossDomainMessenger, p.at.Pause, p.params.L2Ether))
	}, func() []byte {
		return bindings.NewL1StandardBridge().PackInitialize(p.at.Timelock, p.params.RefusedTokens)
	})
	if p.params.NativeToken == (common.Address{}) {
		return
	}
	p.at.NativeTokenBridge = p.proxied("native token bridge", func() []byte {
		return creation(bindings.NativeTokenBridgeMetaData.Bin,
			bindings.NewNativeTokenBridge().PackConstructor(p.params.NativeToken, p.at.Portal))
	}, nil)
}

// pool lends on blocks that the sequencer has signed.
func (p *plan) pool() {
	p.at.Checkpoints = p.proxied("checkpoints", func() []byte {
		return creation(bindings.SignedCheckpointsMetaData.Bin, bindings.NewSignedCheckpoints().PackConstructor(seconds(p.params.Chain.ChainID)))
	}, func() []byte {
		return bindings.NewSignedCheckpoints().PackInitialize(p.at.Timelock, p.params.Chain.Sequencer)
	})
	p.at.InstantExit = p.proxied("instant exit", func() []byte {
		return creation(bindings.InstantExitMetaData.Bin, bindings.NewInstantExit().PackConstructor(bindings.InstantExitParams{
			Portal: p.at.Portal, Checkpoints: p.at.Checkpoints, Token: p.params.NativeToken,
			MinFee: p.params.PoolMinFee, MaxFee: p.params.PoolMaxFee,
			Lock: p.params.PoolLock, OverdueAfter: p.params.PoolOverdueAfter,
		}))
	}, nil)
}

// committee keeps data. Who says what a certificate needs may change what counts as
// data, and waits for the timelock; who is a member changes every day.
func (p *plan) committee() {
	p.at.OperatorRegistry = p.proxied("operator registry", func() []byte {
		return creation(bindings.OperatorRegistryMetaData.Bin, nil)
	}, func() []byte { return bindings.NewOperatorRegistry().PackInitialize(p.params.Owner) })
	p.at.CertificateVerifier = p.proxied("certificate verifier", func() []byte {
		return creation(bindings.CertificateVerifierMetaData.Bin, nil)
	}, func() []byte {
		return bindings.NewCertificateVerifier().PackInitialize(p.at.Timelock, p.at.OperatorRegistry, p.params.Chain.ChainID, p.params.CertificateThreshold)
	})
}

func seconds(n uint64) *big.Int { return new(big.Int).SetUint64(n) }
