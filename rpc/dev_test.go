package rpc

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
)

// fakeDev notes what it is told.
type fakeDev struct {
	key   *ecdsa.PrivateKey
	cfg   *chain.Config
	set   DevSettings
	now   DevNow
	mined []DevMine
	edits []DevEdit
	sent  []*chain.Tx
	ids   map[uint64]bool
	reset int
}

func (d *fakeDev) Accounts() []common.Address {
	return []common.Address{crypto.PubkeyToAddress(d.key.PublicKey)}
}

func (d *fakeDev) Sign(account common.Address, hash common.Hash) ([]byte, error) {
	if account != d.Accounts()[0] {
		return nil, errors.New("unknown account")
	}
	return crypto.Sign(hash[:], d.key)
}

func (d *fakeDev) Send(_ context.Context, t DevTx) (*TxInfo, error) {
	nonce := uint64(len(d.sent))
	if t.Nonce != nil {
		nonce = *t.Nonce
	}
	tx, err := chain.NewUnsignedTx(t.Make(nonce), t.From)
	if err != nil {
		return nil, err
	}
	d.sent = append(d.sent, tx)
	return &TxInfo{Tx: tx}, nil
}

func (d *fakeDev) Mine(_ context.Context, order DevMine) error {
	d.mined = append(d.mined, order)
	return nil
}

func (d *fakeDev) Edit(_ context.Context, edit DevEdit) error {
	d.edits = append(d.edits, edit)
	return nil
}

func (d *fakeDev) Snapshot(context.Context) (uint64, error) {
	id := uint64(len(d.ids) + 1)
	d.ids[id] = true
	return id, nil
}

func (d *fakeDev) Revert(_ context.Context, id uint64) (bool, error) { return d.ids[id], nil }
func (d *fakeDev) Reset(context.Context) error                       { d.reset++; return nil }

func (d *fakeDev) Change(_ context.Context, change func(*DevSettings, DevNow) error) (DevSettings, error) {
	set := d.set.Clone()
	if err := change(&set, d.now); err != nil {
		return d.set, err
	}
	d.set = set
	return set.Clone(), nil
}

// serveDev serves a development chain whose head is block 1.
func serveDev(t *testing.T) (*fakeDev, string) {
	t.Helper()
	b := newFake(t)
	d := &fakeDev{key: b.key, cfg: &b.cfg, ids: make(map[uint64]bool)}
	d.now = DevNow{Clock: 2_000_000_000_000_000, Head: 1, HeadTime: 1_999_999_999}
	b.dev = d
	_, addr := serve(t, b, Options{})
	return d, addr
}

func TestOnlyADevelopmentChainHasItsMethods(t *testing.T) {
	b := newFake(t)
	s, addr := serve(t, b, Options{})
	count := 0
	for name := range s.methods {
		prefix, _, _ := strings.Cut(name, "_")
		switch {
		case prefix == "evm", prefix == "anvil", prefix == "hardhat", prefix == "personal",
			name == "eth_sendTransaction", name == "eth_sign", name == "eth_signTransaction", strings.HasPrefix(name, "eth_signTypedData"), name == "eth_sendUnsignedTransaction":
		default:
			continue
		}
		count++
		if r := ask(t, addr, name, `[]`); r.Error == nil || r.Error.Code != CodeNoMethod || !strings.Contains(r.Error.Message, "--dev") {
			t.Errorf("%s: %s %+v", name, r.Result, r.Error)
		}
	}
	if count < 50 {
		t.Errorf("%d methods of development chains, want 50 at least", count)
	}
}

func TestADevelopmentChainSaysWhatItCannotDo(t *testing.T) {
	_, addr := serveDev(t)
	for _, name := range []string{"anvil_setCoinbase", "hardhat_setCoinbase", "anvil_setMinGasPrice", "hardhat_dropTransaction", "anvil_dumpState", "anvil_loadState", "anvil_setRpcUrl", "evm_setBlockGasLimit"} {
		if r := ask(t, addr, name, `["0x1"]`); r.Error == nil || r.Error.Code != CodeServer || !strings.Contains(r.Error.Message, "not on this chain: ") {
			t.Errorf("%s: %s %+v", name, r.Result, r.Error)
		}
	}
	if r := ask(t, addr, "anvil_reset", `[{"forking":{"jsonRpcUrl":"http://x"}}]`); r.Error == nil {
		t.Error("it forks another chain")
	}
}

func TestDevelopmentSettings(t *testing.T) {
	d, addr := serveDev(t)
	const account = `"0x00000000000000000000000000000000000000aa"`
	for _, tc := range []struct {
		method, params, answer string
		check                  func() any
		want                   any
	}{
		{"evm_increaseTime", `["0xe10"]`, `3600`, func() any { return d.set.OffsetMicros }, int64(3_600_000_000)},
		{"evm_increaseTime", `[60]`, `3660`, func() any { return d.set.OffsetMicros }, int64(3_660_000_000)},
		{"evm_setTime", `[2000000100]`, `100`, func() any { return d.set.OffsetMicros }, int64(100_000_000)},
		{"anvil_setTime", `[2000000200000]`, `200`, func() any { return d.set.OffsetMicros }, int64(200_000_000)},
		{"evm_setNextBlockTimestamp", `["2000000500"]`, `null`, func() any { return d.set.NextTimestamp }, uint64(2_000_000_500)},
		{"anvil_setBlockTimestampInterval", `[12]`, `null`, func() any { return d.set.Interval }, uint64(12)},
		{"hardhat_setBlockTimestampInterval", `[13000]`, `null`, func() any { return d.set.Interval }, uint64(13)},
		{"anvil_removeBlockTimestampInterval", `[]`, `true`, func() any { return d.set.Interval }, uint64(0)},
		{"evm_setAutomine", `[false]`, `true`, func() any { return d.set.Manual }, true},
		{"anvil_getAutomine", `[]`, `false`, func() any { return d.set.Manual }, true},
		{"evm_setAutomine", `[true]`, `true`, func() any { return d.set.Manual }, false},
		{"hardhat_getAutomine", `[]`, `true`, func() any { return d.set.Manual }, false},
		{"evm_setIntervalMining", `[5000]`, `null`, func() any { return d.set.IntervalMillis }, chain.Millis(5000)},
		{"anvil_setIntervalMining", `[5]`, `null`, func() any { return d.set.IntervalMillis }, chain.Millis(5000)},
		{"evm_setIntervalMining", `[0]`, `null`, func() any { return d.set.IntervalMillis }, chain.Millis(0)},
		{"hardhat_setNextBlockBaseFeePerGas", `["0x0a"]`, `null`, func() any { return fmt.Sprint(d.set.NextBaseFee, d.set.BaseFeeBlock) }, "10 2"},
		{"hardhat_setPrevRandao", `["0x5"]`, `null`, func() any { return *d.set.PrevRandao }, common.Hash{31: 5}},
		{"anvil_impersonateAccount", `[` + account + `]`, `true`, func() any { return len(d.set.Impersonated) }, 1},
		{"hardhat_stopImpersonatingAccount", `[` + account + `]`, `true`, func() any { return len(d.set.Impersonated) }, 0},
		{"anvil_autoImpersonateAccount", `[true]`, `true`, func() any { return d.set.ImpersonateAll }, true},
		{"hardhat_setLoggingEnabled", `[true]`, `true`, func() any { return nil }, nil},
	} {
		r := ask(t, addr, tc.method, tc.params)
		if r.Error != nil || string(r.Result) != tc.answer || tc.check() != tc.want {
			t.Errorf("%s %s: %s %+v, then %v, want %s and %v", tc.method, tc.params, r.Result, r.Error, tc.check(), tc.answer, tc.want)
		}
	}
	for question, want := range map[string]string{
		`evm_setNextBlockTimestamp [1999999999]`:                                   "is not after that of block 1",
		`evm_setTime ["0xffffffffffffffffffffffff"]`:                               "allowed is",
		`evm_increaseTime [-5]`:                                                    "allowed is 0..",
		`evm_increaseTime ["many"]`:                                                "want a whole number",
		`evm_setAutomine [1]`:                                                      "want true or false",
		`evm_setIntervalMining [100000000]`:                                        "allowed is 0..",
		`anvil_setBlockTimestampInterval [99999999999999]`:                         "allowed is 0..",
		`hardhat_setNextBlockBaseFeePerGas ["0x1` + strings.Repeat("0", 40) + `"]`: "allowed is 0..",
		`anvil_impersonateAccount ["0x12"]`:                                        "address",
	} {
		method, params, _ := strings.Cut(question, " ")
		if r := ask(t, addr, method, params); r.Error == nil || !strings.Contains(r.Error.Message, want) {
			t.Errorf("%s: %s %+v, want %q", question, r.Result, r.Error, want)
		}
	}
	d.now.OpenTxs = 2
	if r := ask(t, addr, "evm_setNextBlockTimestamp", `[2000000600]`); r.Error == nil || !strings.Contains(r.Error.Message, "evm_mine first") {
		t.Errorf("a timestamp for the open block: %+v", r.Error)
	}
}

func TestDevelopmentCommands(t *testing.T) {
	d, addr := serveDev(t)
	const account = `"0x00000000000000000000000000000000000000aa"`
	for _, c := range []struct{ method, params, answer string }{
		{"evm_mine", `[]`, `"0x0"`},
		{"evm_mine", `[7]`, `"0x0"`},
		{"evm_mine", `[{"timestamp":"0x9","blocks":3}]`, `"0x0"`},
		{"anvil_mine", `["0x10","0x2"]`, `true`},
		{"hardhat_mine", `[]`, `true`},
		{"anvil_setBalance", `[` + account + `,"0x0de0b6b3a7640000"]`, `true`},
		{"hardhat_setNonce", `[` + account + `,"0x5"]`, `true`},
		{"anvil_setCode", `[` + account + `,"0x6001"]`, `true`},
		{"hardhat_setStorageAt", `[` + account + `,"0x0","0x0000000000000000000000000000000000000000000000000000000000000007"]`, `true`},
		{"evm_snapshot", `[]`, `"0x1"`},
		{"evm_revert", `["0x1"]`, `true`},
		{"anvil_revert", `["0x9"]`, `false`},
		{"hardhat_reset", `[]`, `true`},
		{"hardhat_metadata", `[]`, ""},
		{"anvil_nodeInfo", `[]`, ""},
	} {
		if r := ask(t, addr, c.method, c.params); r.Error != nil || c.answer != "" && string(r.Result) != c.answer {
			t.Errorf("%s %s: %s %+v", c.method, c.params, r.Result, r.Error)
		}
	}
	if about := result[struct {
		ChainID uint64 `json:"chainId"`
	}](t, addr, "hardhat_metadata", `[]`); about.ChainID != d.cfg.ChainID {
		t.Errorf("metadata %+v", about)
	}
	info := result[struct {
		CurrentBlockNumber string `json:"currentBlockNumber"`
		Environment        struct {
			ChainID uint64 `json:"chainId"`
		} `json:"environment"`
	}](t, addr, "anvil_nodeInfo", `[]`)
	if info.CurrentBlockNumber == "" || info.Environment.ChainID != d.cfg.ChainID {
		t.Errorf("node info %+v", info)
	}
	want := []DevMine{{Blocks: 1}, {Blocks: 1, Timestamp: 7}, {Blocks: 3, Timestamp: 9}, {Blocks: 16, Interval: 2}, {Blocks: 1}}
	if fmt.Sprint(d.mined) != fmt.Sprint(want) || d.reset != 1 {
		t.Errorf("mined %v, want %v; %d resets", d.mined, want, d.reset)
	}
	if e := d.edits; len(e) != 4 || e[0].Balance.Uint64() != 1e18 || *e[1].Nonce != 5 || len(*e[2].Code) != 2 || e[3].Value != (common.Hash{31: 7}) || *e[3].Slot != (common.Hash{}) {
		t.Errorf("edits %+v", e)
	}
}

func TestDevelopmentAccountsSign(t *testing.T) {
	d, addr := serveDev(t)
	me := d.Accounts()[0]
	mine := `"` + me.Hex() + `"`
	if got := result[[]common.Address](t, addr, "eth_accounts", `[]`); len(got) != 1 || got[0] != me {
		t.Errorf("accounts %v", got)
	}
	signer := func(hash []byte, signature hexutil.Bytes) common.Address {
		signature[64] -= 27
		pub, err := crypto.SigToPub(hash, signature)
		if err != nil {
			t.Fatal(err)
		}
		return crypto.PubkeyToAddress(*pub)
	}
	text := accounts.TextHash([]byte("hi"))
	for method, params := range map[string]string{"eth_sign": `[` + mine + `,"0x6869"]`, "personal_sign": `["0x6869",` + mine + `]`} {
		if got := signer(text, result[hexutil.Bytes](t, addr, method, params)); got != me {
			t.Errorf("%s is signed by %s", method, got)
		}
	}
	// The example of EIP-712, whose hash stands there.
	typed := `{"types":{"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],
		"Person":[{"name":"name","type":"string"},{"name":"wallet","type":"address"}],"Mail":[{"name":"from","type":"Person"},{"name":"to","type":"Person"},{"name":"contents","type":"string"}]},
		"primaryType":"Mail","domain":{"name":"Ether Mail","version":"1","chainId":1,"verifyingContract":"0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"},
		"message":{"from":{"name":"Cow","wallet":"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},"to":{"name":"Bob","wallet":"0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},"contents":"Hello, Bob!"}}`
	hash := common.FromHex("0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2")
	for _, data := range []string{typed, fmt.Sprintf("%q", strings.Join(strings.Fields(typed), " "))} {
		if got := signer(hash, result[hexutil.Bytes](t, addr, "eth_signTypedData_v4", `[`+mine+`,`+data+`]`)); got != me {
			t.Errorf("typed data is signed by %s", got)
		}
	}
	raw := result[hexutil.Bytes](t, addr, "eth_signTransaction", `[{"from":`+mine+`,"to":`+mine+`,"value":"0x5"}]`)
	tx, err := chain.DecodeTx(raw, d.cfg)
	if err != nil || tx.From() != me || tx.Gas() != 21_000 || tx.Value().Int64() != 5 || tx.Type() != types.DynamicFeeTxType {
		t.Errorf("signed %+v (%v)", tx, err)
	}
	other := `"0x00000000000000000000000000000000000000aa"`
	for method, params := range map[string]string{"eth_sign": `[` + other + `,"0x"]`, "eth_signTransaction": `[{"from":` + other + `}]`, "eth_signTypedData_v4": `[` + mine + `,{}]`} {
		if r := ask(t, addr, method, params); r.Error == nil {
			t.Errorf("%s of a stranger: %s", method, r.Result)
		}
	}
}

func TestDevelopmentTransactionsAreCompleted(t *testing.T) {
	d, addr := serveDev(t)
	for _, tc := range []struct {
		params string
		typ    byte
	}{
		{`{"to":"0x00000000000000000000000000000000000000aa"}`, types.DynamicFeeTxType},
		{`{"from":"0x00000000000000000000000000000000000000bb","gasPrice":"0x5","gas":"0x7530"}`, types.LegacyTxType},
		{`{"gasPrice":"0x5","accessList":[],"gas":"0x7530"}`, types.AccessListTxType},
		{`{"maxFeePerGas":"0x1","gas":"0x7530","nonce":"0x9"}`, types.DynamicFeeTxType},
		{`{"to":"0x00000000000000000000000000000000000000aa","gas":"0x7530","authorizationList":[{"chainId":"0x0","address":"0x00000000000000000000000000000000000000aa","nonce":"0x0","yParity":"0x0","r":"0x1","s":"0x1"}]}`, types.SetCodeTxType},
	} {
		hash := result[common.Hash](t, addr, "eth_sendTransaction", "["+tc.params+"]")
		if tx := d.sent[len(d.sent)-1]; tx.Hash() != hash || tx.Type() != tc.typ {
			t.Errorf("%s: sent type %d %s, answer %s", tc.params, tx.Type(), tx.Hash(), hash)
		}
	}
	if from := d.sent[1].From(); from != common.HexToAddress("0xbb") || d.sent[0].From() != d.Accounts()[0] {
		t.Errorf("senders %s and %s", d.sent[0].From(), from)
	}
	if feeCap := d.sent[3].Eth().GasTipCap(); feeCap.Cmp(big.NewInt(1)) != 0 || d.sent[3].Nonce() != 9 {
		t.Errorf("tip %s above the fee cap, nonce %d", feeCap, d.sent[3].Nonce())
	}
	result[common.Hash](t, addr, "eth_sendUnsignedTransaction", `[{"from":"0x00000000000000000000000000000000000000bb","gas":"0x7530"}]`)
	if r := ask(t, addr, "eth_sendTransaction", `[{"to":"0x00000000000000000000000000000000000000aa","data":"0x01"}]`); r.Error == nil || r.Error.Code != CodeReverted {
		t.Errorf("a transaction that would revert, without gas: %s %+v", r.Result, r.Error)
	}
}
