package predeploys_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/state"
)

// l2 is a chain at genesis under its own execution.
type l2 struct {
	*testing.T
	*exec.Chain
	cfg      chain.Config
	machine  *evm.Machine
	deposits uint64
}

func newL2(t *testing.T, s predeploys.Settings) *l2 {
	t.Helper()
	g := &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: 1_800_000_000, Alloc: predeploys.Alloc(s)}
	g.Alloc[user] = types.Account{Balance: big.NewInt(params.Ether)}
	diff, err := exec.GenesisDiff(g)
	if err != nil {
		t.Fatal(err)
	}
	db, tree := state.NewDB(), state.NewTrie()
	db.Apply(diff)
	tree.Apply(diff)
	block := exec.GenesisBlock(g, tree.Root(), tree.StorageRoot(chain.MessagePasserAddr))
	w := &l2{T: t, cfg: g.Config}
	w.Chain = exec.NewChain(&w.cfg, db, tree, exec.Position{Parent: block.Header, LastMiniHash: block.Hash()})
	t.Cleanup(w.Chain.Close)
	w.machine = evm.NewMachine(&w.cfg)
	t.Cleanup(w.machine.Close)
	if err := w.Open(chain.Attributes{Timestamp: g.Timestamp + 1}); err != nil {
		t.Fatal(err)
	}
	return w
}

// deposit is a transaction that L1 ordered.
func (w *l2) deposit(from, to common.Address, mint int64, data []byte) *chain.Receipt {
	w.Helper()
	w.deposits++
	r, err := w.Apply(chain.NewDepositTx(&chain.Deposit{
		SourceHash: common.BigToHash(new(big.Int).SetUint64(w.deposits)), From: from, To: &to,
		Mint: big.NewInt(mint), Value: big.NewInt(mint), Gas: 2_000_000, Data: data,
	}))
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// ask calls a view function.
func (w *l2) ask(to common.Address, data []byte) ([]byte, error) {
	w.Helper()
	r, err := w.machine.Call(w.Pending(), &evm.CallMsg{From: user, To: &to, Data: data, KeepBaseFee: true},
		&evm.Env{Number: 1, Timestamp: 1_800_000_001, GasLimit: 50_000_000, BaseFee: big.NewInt(7), Config: &w.cfg})
	if err != nil {
		w.Fatal(err)
	}
	return r.ReturnData, r.Err
}

func encode(t *testing.T, signature string, args ...any) []byte {
	t.Helper()
	inside := signature[strings.IndexByte(signature, '(')+1 : len(signature)-1]
	var kinds abi.Arguments
	for _, kind := range strings.Split(inside, ",") {
		typ, err := abi.NewType(kind, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, abi.Argument{Type: typ})
	}
	data, err := kinds.Pack(args...)
	if err != nil {
		t.Fatal(err)
	}
	return append(selector(signature), data...)
}

var (
	l1Messenger = common.HexToAddress("0x1000000000000000000000000000000000000001")
	l1Bridge    = common.HexToAddress("0x1000000000000000000000000000000000000002")
	timelock    = common.HexToAddress("0xf000000000000000000000000000000000000003")
	treasury    = common.HexToAddress("0x1000000000000000000000000000000000000004")
)

func fullSettings() predeploys.Settings {
	return predeploys.Settings{
		L1:   predeploys.L1Addresses{Messenger: l1Messenger, Bridge: l1Bridge, Timelock: timelock},
		Fees: predeploys.FeeSettings{Recipient: treasury, OnL2: true, MinWithdrawal: big.NewInt(99)},
	}
}

func TestContractsReadTheirSettings(t *testing.T) {
	w := newL2(t, fullSettings())
	word := func(a common.Address) common.Hash { return common.BytesToHash(a[:]) }
	number := func(n int64) common.Hash { return common.BigToHash(big.NewInt(n)) }
	for _, test := range []struct {
		addr      common.Address
		signature string
		want      common.Hash
	}{
		{predeploys.CrossDomainMessengerAddr, "otherMessenger()", word(l1Messenger)},
		{predeploys.CrossDomainMessengerAddr, "OTHER_MESSENGER()", word(l1Messenger)},
		{predeploys.StandardBridgeAddr, "otherBridge()", word(l1Bridge)},
		{predeploys.StandardBridgeAddr, "messenger()", word(predeploys.CrossDomainMessengerAddr)},
		{predeploys.MintableERC20FactoryAddr, "bridge()", word(predeploys.StandardBridgeAddr)},
		{predeploys.ProxyAdminAddr, "owner()", word(common.HexToAddress("0x0111000000000000000000000000000000001114"))},
		{chain.SequencerFeeVaultAddr, "recipient()", word(treasury)},
		{chain.SequencerFeeVaultAddr, "l1FeeWallet()", word(treasury)},
		{chain.BaseFeeVaultAddr, "recipient()", word(treasury)},
		{chain.L1FeeVaultAddr, "recipient()", word(treasury)},
		{chain.L1FeeVaultAddr, "withdrawalNetwork()", number(1)},
		{chain.L1FeeVaultAddr, "minWithdrawalAmount()", number(99)},
		{chain.L1BlockAddr, "isCustomGasToken()", number(0)},
		{predeploys.GasPriceOracleAddr, "isFjord()", number(1)},
		{predeploys.GasPriceOracleAddr, "gasPrice()", number(7)},
	} {
		if got, err := w.ask(test.addr, selector(test.signature)); err != nil || common.BytesToHash(got) != test.want {
			t.Errorf("%s of %s = %x, %v; want %s", test.signature, test.addr, got, err, test.want)
		}
	}
	for signature, want := range map[string]string{"name()": "Wrapped Ether", "symbol()": "WETH"} {
		got, err := w.ask(predeploys.WETHAddr, selector(signature))
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s = %q, %v; want %q", signature, got, err, want)
		}
	}
}

// tokenSettings are those of a chain whose native currency is a token.
func tokenSettings() predeploys.Settings {
	s := fullSettings()
	s.GasToken = chain.GasToken{Token: treasury, Bridge: l1Bridge, Name: "Talaria", Symbol: "TLR", L2Ether: predeploys.Ether.Addr(),
		Rate: chain.TokenRate{Rate: 1e12, Until: 1_900_000_000, Then: 2e12}}
	return s
}

func TestAGasTokenIsNamedByItsChain(t *testing.T) {
	s := tokenSettings()
	if err := s.GasToken.Check(); err != nil {
		t.Fatal(err)
	}
	w := newL2(t, s)
	got, err := w.ask(chain.L1BlockAddr, selector("gasPayingToken()"))
	if want := append(common.LeftPadBytes(treasury[:], 32), common.LeftPadBytes([]byte{18}, 32)...); err != nil || string(got) != string(want) {
		t.Errorf("gasPayingToken() = %x, %v", got, err)
	}
	for signature, want := range map[string]string{"name()": "Wrapped Talaria", "symbol()": "WTLR"} {
		got, err := w.ask(predeploys.WETHAddr, selector(signature))
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s = %q, %v; want %q", signature, got, err, want)
		}
	}
	if got, err := w.ask(predeploys.GasPriceOracleAddr, selector("gasTokenRate()")); err != nil || common.BytesToHash(got).Big().Int64() != 1e12 {
		t.Errorf("gasTokenRate() = %x, %v", got, err)
	}
}

func TestEtherIsATokenWhereTheCurrencyIsAnother(t *testing.T) {
	w := newL2(t, tokenSettings())
	if r := w.deposit(user, predeploys.MintableERC20FactoryAddr, 0, predeploys.Ether.CreateCall()); r.Status != 1 {
		t.Fatal("not made")
	}
	to := common.HexToAddress("0xb0b")
	finalize := encode(t, "finalizeBridgeERC20(address,address,address,address,uint256,bytes)",
		predeploys.Ether.Addr(), chain.EtherToken, user, to, big.NewInt(77), []byte{})
	relay := encode(t, "relayMessage(uint256,address,address,uint256,uint256,bytes)",
		new(big.Int).Lsh(big.NewInt(1), 240), l1Bridge, predeploys.StandardBridgeAddr, new(big.Int), big.NewInt(400_000), finalize)
	if r := w.deposit(chain.AliasOfL1(l1Messenger), predeploys.CrossDomainMessengerAddr, 0, relay); r.Status != 1 {
		t.Fatal("not relayed")
	}
	got, err := w.ask(predeploys.Ether.Addr(), encode(t, "balanceOf(address)", to))
	if err != nil || common.BytesToHash(got).Big().Int64() != 77 {
		t.Errorf("balance %x, %v", got, err)
	}
	if r := w.deposit(to, predeploys.StandardBridgeAddr, 1, encode(t, "bridgeETHTo(address,uint32,bytes)", to, uint32(0), []byte{})); r.Status != 0 {
		t.Error("the native currency left through the bridge as ether")
	}
	back := encode(t, "withdrawTo(address,address,uint256,uint32,bytes)", predeploys.Ether.Addr(), user, big.NewInt(70), uint32(200_000), []byte{})
	if r := w.deposit(to, predeploys.StandardBridgeAddr, 0, back); r.Status != 1 {
		t.Error("ether does not go back")
	}
	if got, _ := w.ask(predeploys.Ether.Addr(), selector("totalSupply()")); common.BytesToHash(got).Big().Int64() != 7 {
		t.Errorf("supply %x, want 7", got)
	}
}

func TestADepositThroughTheBridgeArrives(t *testing.T) {
	w := newL2(t, fullSettings())
	to := common.HexToAddress("0xb0b")
	finalize := encode(t, "finalizeBridgeETH(address,address,uint256,bytes)", user, to, big.NewInt(77), []byte{})
	nonce := new(big.Int).Lsh(big.NewInt(1), 240)
	relay := encode(t, "relayMessage(uint256,address,address,uint256,uint256,bytes)",
		nonce, l1Bridge, predeploys.StandardBridgeAddr, big.NewInt(77), big.NewInt(200_000), finalize)
	if r := w.deposit(chain.AliasOfL1(l1Messenger), predeploys.CrossDomainMessengerAddr, 77, relay); r.Status != 1 {
		t.Fatalf("status %d", r.Status)
	}
	if got, _ := w.Pending().Account(to); got.Balance.Uint64() != 77 {
		t.Errorf("balance %s, want 77", &got.Balance)
	}
	hash := crypto.Keccak256Hash(relay)
	if got, err := w.ask(predeploys.CrossDomainMessengerAddr, append(selector("successfulMessages(bytes32)"), hash[:]...)); err != nil || common.BytesToHash(got) != common.BigToHash(common.Big1) {
		t.Errorf("successfulMessages = %x, %v", got, err)
	}
}

func TestOnlyTheTimelockOfL1Upgrades(t *testing.T) {
	w := newL2(t, fullSettings())
	// Code that answers every call with the word 42.
	answer := common.FromHex("602a60005260206000f3")
	initCode := append(common.FromHex("600a600c600039600a6000f3"), answer...)
	r := w.deposit(user, predeploys.Create2DeployerAddr, 0, append(make([]byte, 32), initCode...))
	code := crypto.CreateAddress2(predeploys.Create2DeployerAddr, common.Hash{}, crypto.Keccak256(initCode))
	upgrade := encode(t, "upgrade(address,address)", predeploys.GasPriceOracleAddr, code)
	if r.Status != 1 {
		t.Fatal("not deployed")
	}
	for _, stranger := range []common.Address{user, timelock, l1Messenger} {
		if r := w.deposit(stranger, predeploys.ProxyAdminAddr, 0, upgrade); r.Status != 0 {
			t.Errorf("%s may upgrade", stranger)
		}
	}
	if r := w.deposit(chain.AliasOfL1(timelock), predeploys.ProxyAdminAddr, 0, upgrade); r.Status != 1 {
		t.Error("the timelock may not upgrade")
	}
	if got, err := w.ask(predeploys.GasPriceOracleAddr, selector("isFjord()")); err != nil || common.BytesToHash(got).Big().Int64() != 42 {
		t.Errorf("after the upgrade: %x, %v", got, err)
	}
}

func TestATokenIsWhereItsDescriptionSays(t *testing.T) {
	w := newL2(t, fullSettings())
	token := predeploys.MintableERC20{Remote: treasury, Name: "A token", Symbol: "TKN", Decimals: 6}
	if r := w.deposit(user, predeploys.MintableERC20FactoryAddr, 0, token.CreateCall()); r.Status != 1 {
		t.Fatal("not made")
	}
	if got, err := w.ask(token.Addr(), selector("remoteToken()")); err != nil || common.BytesToAddress(got) != treasury {
		t.Errorf("remoteToken() = %x, %v", got, err)
	}
	if got, err := w.ask(token.Addr(), selector("decimals()")); err != nil || common.BytesToHash(got).Big().Int64() != 6 {
		t.Errorf("decimals() = %x, %v", got, err)
	}
	other := token
	other.Symbol = "TKM"
	if other.Addr() == token.Addr() {
		t.Error("two descriptions, one address")
	}
}
