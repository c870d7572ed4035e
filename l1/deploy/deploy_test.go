package deploy_test

import (
	"context"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
	"github.com/talaria-l2/talaria/l1/deploy"
	"github.com/talaria-l2/talaria/l1/devl1"
)

// world is an L1 that mines what is sent at once, and an account to deploy with.
type world struct {
	l1     *devl1.L1
	client *l1.Client
	sender *l1.Sender
}

func newWorld(t *testing.T) *world {
	t.Helper()
	chainL1, err := devl1.Start(devl1.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := chainL1.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := l1.Dial(t.Context(), l1.Options{URL: chainL1.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &world{chainL1, client, l1.NewSender(client, l1.NewKeySigner(devl1.Keys(1)[0]), l1.SenderOptions{})}
}

func (w *world) deploy(t *testing.T, p deploy.Params) *deploy.Result {
	t.Helper()
	var out *deploy.Result
	err := w.l1.MineInstantly(t.Context(), func(ctx context.Context) (err error) {
		out, err = deploy.Deploy(ctx, w.client, w.sender, p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func testParams() deploy.Params {
	cfg := chain.DefaultConfig()
	cfg.Batcher, cfg.Sequencer, cfg.BatchInbox = common.Address{0xba}, common.Address{0x5e}, common.Address{0x1b}
	p := deploy.Development(cfg)
	p.Owner, p.Guardian = common.Address{0x0e}, common.Address{0x60}
	return p
}

// call asks a contract and unpacks its answer.
func call[T any](t *testing.T, w *world, at common.Address, data []byte, unpack func([]byte) (T, error)) T {
	t.Helper()
	instance := bind.NewBoundContract(at, bindings.NewPortal().GetABI(), w.client.Eth(), nil, nil)
	out, err := bind.Call(instance, nil, data, unpack)
	if err != nil {
		t.Fatalf("call %x of %v: %v", data[:4], at, err)
	}
	return out
}

func TestContractsKnowEachOtherAndTheirOwners(t *testing.T) {
	w, p := newWorld(t), testParams()
	at := w.deploy(t, p).Addresses
	portal, registry, factory := bindings.NewPortal(), bindings.NewAnchorStateRegistry(), bindings.NewDisputeGameFactory()
	messenger, bridge, game := bindings.NewL1CrossDomainMessenger(), bindings.NewL1StandardBridge(), bindings.NewHybridGame()
	pool, checkpoints := bindings.NewInstantExit(), bindings.NewSignedCheckpoints()
	members, verifier := bindings.NewOperatorRegistry(), bindings.NewCertificateVerifier()
	stakes := bindings.NewChallengerStakes()
	config, pause, vault := bindings.NewSystemConfig(), bindings.NewPause(), bindings.NewBondVault()

	for _, c := range []struct {
		what      string
		got, want common.Address
	}{
		{"portal: registry", call(t, w, at.Portal, portal.PackAnchorStateRegistry(), portal.UnpackAnchorStateRegistry), at.AnchorStateRegistry},
		{"portal: factory", call(t, w, at.Portal, portal.PackDisputeGameFactory(), portal.UnpackDisputeGameFactory), at.DisputeGameFactory},
		{"portal: config", call(t, w, at.Portal, portal.PackSystemConfig(), portal.UnpackSystemConfig), at.SystemConfig},
		{"portal: pause", call(t, w, at.Portal, portal.PackSuperchainConfig(), portal.UnpackSuperchainConfig), at.Pause},
		{"portal: guardian", call(t, w, at.Portal, portal.PackGuardian(), portal.UnpackGuardian), p.Guardian},
		{"portal: no escrow", call(t, w, at.Portal, portal.PackNATIVEESCROW(), portal.UnpackNATIVEESCROW), common.Address{}},
		{"registry: owner", call(t, w, at.AnchorStateRegistry, registry.PackOwner(), registry.UnpackOwner), at.Timelock},
		{"factory: owner", call(t, w, at.DisputeGameFactory, factory.PackOwner(), factory.UnpackOwner), at.Timelock},
		{"factory: game", call(t, w, at.DisputeGameFactory, factory.PackGameImpls(deploy.GameType), factory.UnpackGameImpls), at.HybridGame},
		{"game: registry", call(t, w, at.HybridGame, game.PackREGISTRY(), game.UnpackREGISTRY), at.AnchorStateRegistry},
		{"game: vault", call(t, w, at.HybridGame, game.PackVAULT(), game.UnpackVAULT), at.BondVault},
		{"game: stakes", call(t, w, at.HybridGame, game.PackSTAKES(), game.UnpackSTAKES), at.ChallengerStakes},
		{"stakes: registry", call(t, w, at.ChallengerStakes, stakes.PackREGISTRY(), stakes.UnpackREGISTRY), at.AnchorStateRegistry},
		{"stakes: vault", call(t, w, at.ChallengerStakes, stakes.PackVAULT(), stakes.UnpackVAULT), at.BondVault},
		{"vault: registry", call(t, w, at.BondVault, vault.PackREGISTRY(), vault.UnpackREGISTRY), at.AnchorStateRegistry},
		{"vault: stakes", call(t, w, at.BondVault, vault.PackSTAKES(), vault.UnpackSTAKES), at.ChallengerStakes},
		{"vault: pause", call(t, w, at.BondVault, vault.PackPAUSE(), vault.UnpackPAUSE), at.Pause},
		{"pause: owner", call(t, w, at.Pause, pause.PackOwner(), pause.UnpackOwner), at.Timelock},
		{"config: owner", call(t, w, at.SystemConfig, config.PackOwner(), config.UnpackOwner), p.Owner},
		{"config: who moves data", call(t, w, at.SystemConfig, config.PackTIMELOCK(), config.UnpackTIMELOCK), at.Timelock},
		{"config: sequencer", call(t, w, at.SystemConfig, config.PackUnsafeBlockSigner(), config.UnpackUnsafeBlockSigner), p.Chain.Sequencer},
		{"messenger: portal", call(t, w, at.L1CrossDomainMessenger, messenger.PackPORTAL(), messenger.UnpackPORTAL), at.Portal},
		{"bridge: messenger", call(t, w, at.L1StandardBridge, bridge.PackMESSENGER(), bridge.UnpackMESSENGER), at.L1CrossDomainMessenger},
		{"pool: portal", call(t, w, at.InstantExit, pool.PackParameters(), pool.UnpackParameters).Portal, at.Portal},
		{"pool: checkpoints", call(t, w, at.InstantExit, pool.PackParameters(), pool.UnpackParameters).Checkpoints, at.Checkpoints},
		{"checkpoints: attestor", call(t, w, at.Checkpoints, checkpoints.PackAttestor(), checkpoints.UnpackAttestor), p.Chain.Sequencer},
		{"committee: owner", call(t, w, at.OperatorRegistry, members.PackOwner(), members.UnpackOwner), p.Owner},
		{"verifier: registry", call(t, w, at.CertificateVerifier, verifier.PackRegistry(), verifier.UnpackRegistry), at.OperatorRegistry},
		{"verifier: owner", call(t, w, at.CertificateVerifier, verifier.PackOwner(), verifier.UnpackOwner), at.Timelock},
		{"checkpoints: owner", call(t, w, at.Checkpoints, checkpoints.PackOwner(), checkpoints.UnpackOwner), at.Timelock},
		{"bridge: owner", call(t, w, at.L1StandardBridge, bridge.PackOwner(), bridge.UnpackOwner), at.Timelock},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
	if got := call(t, w, at.Portal, portal.PackRespectedGameType(), portal.UnpackRespectedGameType); got != deploy.GameType {
		t.Errorf("respected game type %d", got)
	}
	if got := call(t, w, at.SystemConfig, config.PackGasLimit(), config.UnpackGasLimit); got != uint64(p.Chain.GasLimit) {
		t.Errorf("gas limit %d", got)
	}
	if got := call(t, w, at.CertificateVerifier, verifier.PackThreshold(), verifier.UnpackThreshold); got != p.CertificateThreshold {
		t.Errorf("threshold %d", got)
	}
	if got := call(t, w, at.CertificateVerifier, verifier.PackL2ChainId(), verifier.UnpackL2ChainId); got != p.Chain.ChainID {
		t.Errorf("verifier: chain %d", got)
	}
	if names := at.ByName(); len(names) != 15 || names["portal"] != at.Portal || names["timelock"] != at.Timelock {
		t.Errorf("addresses by name: %v", names)
	}
}

func TestOnlyTheTimelockUpgrades(t *testing.T) {
	w := newWorld(t)
	at := w.deploy(t, testParams()).Addresses
	for name, proxy := range at.ByName() {
		if proxy == at.Timelock || proxy == at.HybridGame {
			continue
		}
		admin, err := w.client.Eth().StorageAt(t.Context(), proxy, common.HexToHash("0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103"), nil) // EIP-1967
		if err != nil {
			t.Fatal(err)
		}
		config := bindings.NewSystemConfig() // owner() is the same everywhere
		owner := call(t, w, common.BytesToAddress(admin), config.PackOwner(), config.UnpackOwner)
		if owner != at.Timelock {
			t.Errorf("%s: its proxy admin belongs to %v, not to the timelock %v", name, owner, at.Timelock)
		}
	}
}

// token deploys a currency, of which the deployer's account holds some.
func (w *world) token(t *testing.T) (at common.Address) {
	t.Helper()
	err := w.l1.MineInstantly(t.Context(), func(ctx context.Context) (err error) {
		at, err = deploy.DevToken(ctx, w.sender, "Talaria", "TLR", []common.Address{w.sender.Address()}, big.NewInt(1000))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestATokenAsCurrencyIsHeldByItsBridge(t *testing.T) {
	w, p := newWorld(t), testParams()
	token, l2Ether := w.token(t), common.Address{0xe7}
	p.UseToken(token, l2Ether, 1000)
	at := w.deploy(t, p).Addresses
	portal, native, bridge := bindings.NewPortal(), bindings.NewNativeTokenBridge(), bindings.NewL1StandardBridge()
	if got := call(t, w, at.Portal, portal.PackNATIVEESCROW(), portal.UnpackNATIVEESCROW); got != at.NativeTokenBridge {
		t.Errorf("portal: escrow %v, want %v", got, at.NativeTokenBridge)
	}
	if got := call(t, w, at.NativeTokenBridge, native.PackTOKEN(), native.UnpackTOKEN); got != token {
		t.Errorf("escrow: token %v", got)
	}
	if got := call(t, w, at.NativeTokenBridge, native.PackPORTAL(), native.UnpackPORTAL); got != at.Portal {
		t.Errorf("escrow: portal %v", got)
	}
	if got := call(t, w, at.L1StandardBridge, bridge.PackL2ETHER(), bridge.UnpackL2ETHER); got != l2Ether {
		t.Errorf("bridge: ether on L2 %v", got)
	}
	config := bindings.NewSystemConfig()
	bounds := call(t, w, at.SystemConfig, config.PackRateBounds(), config.UnpackRateBounds)
	if want := (bindings.TokenRateBounds{Min: 10 * params.GWei, Max: 100_000 * params.GWei, MinInterval: 1, MaxAge: 30 * 24 * 3600}); bounds != want {
		t.Errorf("bounds of the rate %+v, want %+v", bounds, want)
	}
}

func TestWhatCannotBeACurrencyIsNamedBeforeAnythingIsDeployed(t *testing.T) {
	w := newWorld(t)
	six := common.Address{} // a contract that answers every call with 6
	err := w.l1.MineInstantly(t.Context(), func(ctx context.Context) (err error) {
		six, _, err = w.sender.Deploy(ctx, common.FromHex("600a600c600039600a6000f3600660005260206000f3"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for token, says := range map[common.Address]string{{0x70}: "there is no contract on this L1", six: "it has 6 decimals, and must have 18"} {
		p := testParams()
		p.UseToken(token, common.Address{0xe7}, 1000)
		before, err := w.client.PendingNonce(t.Context(), w.sender.Address())
		if err != nil {
			t.Fatal(err)
		}
		_, err = deploy.Deploy(t.Context(), w.client, w.sender, p)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("token %v: %v, want %s", token, err, says)
		}
		if after, err := w.client.PendingNonce(t.Context(), w.sender.Address()); err != nil || after != before {
			t.Errorf("nonce %d, before %d, %v: something was sent", after, before, err)
		}
	}
}

func TestRatesOfAnyTokenHaveBounds(t *testing.T) {
	for _, tokens := range []uint64{1, 2, 1000, 9_999_999, 10_000_001, 184_467_441, 1_000_000_000} {
		p := testParams()
		p.UseToken(common.Address{1}, common.Address{2}, tokens)
		r := p.Rate
		if err := p.Check(); err != nil || r.First != tokens*params.GWei || r.Min != r.First/100 || r.Max != min(r.First, params.Ether/100)*100 {
			t.Errorf("%d tokens for an ether: %+v, %v", tokens, r, err)
		}
	}
}

func TestTheCurrencyIsReadFromL1(t *testing.T) {
	w, p := newWorld(t), testParams()
	at := w.deploy(t, p).Addresses
	cfg := p.Chain
	at.Configure(&cfg)
	if got, err := deploy.ReadCurrency(t.Context(), w.client, at.Portal, at.L1StandardBridge); err != nil || !got.IsZero() {
		t.Errorf("currency %+v, %v; want ether", got, err)
	}
	if err := deploy.CheckCurrency(t.Context(), w.client, &cfg); err != nil {
		t.Error(err)
	}

	token := w.token(t)
	p.UseToken(token, common.Address{0xe7}, 1000)
	other := w.deploy(t, p).Addresses
	got, err := deploy.ReadCurrency(t.Context(), w.client, other.Portal, other.L1StandardBridge)
	if err != nil {
		t.Fatal(err)
	}
	want := chain.GasToken{Token: token, Bridge: other.NativeTokenBridge, L2Ether: common.Address{0xe7}, Name: "Talaria", Symbol: "TLR",
		Rate: chain.TokenRate{Rate: 1000 * params.GWei, Until: got.Rate.Until, Then: 2000 * params.GWei}}
	if got != want || got.Rate.Until == 0 {
		t.Errorf("currency %+v, want %+v", got, want)
	}

	// The genesis of one chain with the contracts of the other.
	cfg.Portal, cfg.L1StandardBridge = other.Portal, other.L1StandardBridge
	if err := deploy.CheckCurrency(t.Context(), w.client, &cfg); !errors.Is(err, deploy.ErrCurrency) {
		t.Errorf("ether in the genesis, a token on L1: %v", err)
	}
	cfg.GasToken = got
	cfg.GasToken.Rate.Rate = 1 // may have changed since
	if err := deploy.CheckCurrency(t.Context(), w.client, &cfg); err != nil {
		t.Error(err)
	}
	cfg.Portal, cfg.L1StandardBridge = at.Portal, at.L1StandardBridge
	if err := deploy.CheckCurrency(t.Context(), w.client, &cfg); !errors.Is(err, deploy.ErrCurrency) {
		t.Errorf("a token in the genesis, ether on L1: %v", err)
	}
	if _, err := deploy.ReadCurrency(t.Context(), w.client, at.Portal, other.L1StandardBridge); err == nil {
		t.Error("contracts of two chains were taken for one")
	}
}

func TestADepositIsTakenRightAfterTheDeployment(t *testing.T) {
	w := newWorld(t)
	at := w.deploy(t, testParams()).Addresses
	var receipt *types.Receipt
	err := w.l1.MineInstantly(t.Context(), func(ctx context.Context) (err error) {
		receipt, err = w.sender.Send(ctx, l1.Request{To: &at.Portal, Value: big.NewInt(params.Ether)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(receipt.Logs) != 1 || receipt.Logs[0].Address != at.Portal {
		t.Errorf("logs of a deposit: %v", receipt.Logs)
	}
}

// The slowest exit through L1 alone, with two pauses in a row in its way, that begins seven
// days after an upgrade was announced, ends before the upgrade.
func TestSevenDaysAreLeftToExitBeforeAnUpgrade(t *testing.T) {
	const l1Block, week = 12, 7 * 24 * 3600
	cfg := chain.DefaultConfig()
	p := deploy.Production(cfg)
	exit := cfg.InclusionWindow*l1Block + p.ChallengeWindow + p.ProofMaturity + p.FinalityDelay + 2*p.PauseDuration
	if p.TimelockDelay < week+exit {
		t.Errorf("upgrades wait %d s, an exit takes %d s and a week to begin it", p.TimelockDelay, exit)
	}
}

func TestWrongParametersAreNamed(t *testing.T) {
	for name, spoil := range map[string]func(*deploy.Params){
		"owner: must not be zero":                    func(p *deploy.Params) { p.Owner = common.Address{} },
		"batcher, sequencer: must not be zero":       func(p *deploy.Params) { p.Chain.Batcher = common.Address{} },
		"challenge window: must be at least 1 s":     func(p *deploy.Params) { p.ChallengeWindow = 0 },
		"native token, ether on L2: both or neither": func(p *deploy.Params) { p.NativeToken = common.Address{1} },
		"rate 0 of 1..0, stale after 2592000 s, set every 1 s: must be in order and positive": func(p *deploy.Params) {
			p.UseToken(common.Address{1}, common.Address{2}, 0)
		},
		"challenger stake: must not be below the claim bond": func(p *deploy.Params) {
			p.ChallengerStake = new(big.Int).Sub(p.ClaimBond, big.NewInt(1))
		},
		"claim bond: must not be negative": func(p *deploy.Params) { p.ClaimBond = big.NewInt(-1) },
	} {
		p := testParams()
		spoil(&p)
		if err := p.Check(); err == nil || err.Error() != name {
			t.Errorf("error %v, want %s", err, name)
		}
	}
	p := testParams()
	p.CertificateThreshold = 5_000
	if err := p.Check(); err == nil {
		t.Error("a certificate by half of the weight was accepted")
	}
	p = testParams()
	p.PausePeriod = 2*p.PauseDuration - 1
	if err := p.Check(); err == nil {
		t.Error("a pause of more than half of its period was accepted")
	}
	if p := deploy.Production(chain.DefaultConfig()); p.ChallengeWindow != 7*24*3600 || p.ProofMaturity != 4*3600 {
		t.Errorf("production: window %d s, maturity %d s", p.ChallengeWindow, p.ProofMaturity)
	}
}
