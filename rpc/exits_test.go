package rpc

import (
	"context"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
)

// fakeExits is what the fake backend knows of withdrawals and attestations.
type fakeExits struct {
	withdrawals  map[common.Hash]*WithdrawalStatus
	attestations []Attestation
}

func (f *fakeExits) WithdrawalStatus(_ context.Context, hash common.Hash, index uint64) (*WithdrawalStatus, error) {
	st := f.withdrawals[hash]
	if st != nil && index != st.Index {
		return nil, Errorf(CodeInvalidParams, "no number %d", index)
	}
	return st, nil
}

func (f *fakeExits) Attestation(_ context.Context, number uint64) (*Attestation, error) {
	newest := &f.attestations[len(f.attestations)-1]
	if newest.Number < number {
		return nil, nil
	}
	return newest, nil
}

func (f *fakeExits) L1Contracts() map[string]common.Address {
	return map[string]common.Address{"portal": {1}, "instantExit": {2}}
}

func TestAWithdrawalTellsOneStateOneTimeAndOneReason(t *testing.T) {
	b := newFake(t)
	base := WithdrawalStatus{
		Hash: common.Hash{1}, TxHash: common.Hash{2}, Block: 7, Index: 1, Count: 2, Nonce: big.NewInt(5), Sender: common.Address{3}, Target: common.Address{4},
		Value: big.NewInt(6), GasLimit: big.NewInt(8), Data: []byte{9}, State: "ready-to-prove", Reason: `say "prove"`, ETA: 1_700_000_000,
		Game: common.Address{5}, ClaimIndex: 3, ClaimBlock: 8,
	}
	paid := base
	paid.ETA, paid.State, paid.Repayment, paid.Payout, paid.ProvenBy, paid.Resolvable = 0, "paid-by-pool", "proven", big.NewInt(4), common.Address{6}, true
	b.withdrawals = map[common.Hash]*WithdrawalStatus{{1}: &base, {10}: &paid}
	b.attestations = []Attestation{{Number: 4, Hash: common.Hash{7}, Signature: make([]byte, 65)}}
	_, addr := serve(t, b, Options{})

	text := func(method, params string) string {
		t.Helper()
		r := ask(t, addr, method, params)
		if r.Error != nil {
			t.Fatalf("%s%s: %+v", method, params, r.Error)
		}
		return string(r.Result)
	}
	pad := func(first string, bytes int) string { return `"0x` + first + strings.Repeat("0", 2*bytes-2) + `"` }
	h, a := func(s string) string { return pad(s, 32) }, func(s string) string { return pad(s, 20) }
	head := `{"withdrawalHash":` + h("01") + `,"transactionHash":` + h("02") + `,"blockNumber":"0x7","index":"0x1","count":"0x2",` +
		`"withdrawal":{"nonce":"0x5","sender":` + a("03") + `,"target":` + a("04") + `,"value":"0x6","gasLimit":"0x8","data":"0x09"},`
	want := head + `"state":"ready-to-prove","eta":"0x18bcfe56800","reason":"say \"prove\"","claim":{"game":` + a("05") + `,"index":"0x3","blockNumber":"0x8"}}`
	if got := text("talaria_withdrawalStatus", `[`+h("01")+`,"0x1"]`); got != want {
		t.Errorf("a claim to prove under:\n%s\nwant\n%s", got, want)
	}
	want = head + `"state":"paid-by-pool","eta":null,"reason":"say \"prove\"","claim":{"game":` + a("05") + `,"provenBy":` + a("06") + `,"resolvable":true},"payout":"0x4","repayment":"proven"}`
	if got := text("talaria_withdrawalStatus", `[`+h("0a")+`,1]`); got != want {
		t.Errorf("paid by the pool:\n%s\nwant\n%s", got, want)
	}
	if got := text("talaria_withdrawalStatus", `[`+h("0b")+`]`); got != "null" {
		t.Errorf("a hash that is none: %s", got)
	}
	if r := ask(t, addr, "talaria_withdrawalStatus", `[`+h("01")+`]`); r.Error == nil || r.Error.Code != CodeInvalidParams {
		t.Errorf("an index that is none: %+v", r)
	}
	if got, want := text("talaria_attestation", `[3]`), `{"blockNumber":"0x4","blockHash":`+h("07")+`,"signature":`+pad("00", 65)+`}`; got != want {
		t.Errorf("attestation: %s, want %s", got, want)
	}
	if got := text("talaria_attestation", `["0x5"]`); got != "null" {
		t.Errorf("attestation that is not there: %s", got)
	}
	if got, want := text("talaria_l1Contracts", `[]`), `{"l1ChainId":"0x1cf2","l2ChainId":"0x1cf3","contracts":{"instantExit":`+a("02")+`,"portal":`+a("01")+`},"nativeCurrency":{"name":"Ether","symbol":"ETH","decimals":18}}`; got != want {
		t.Errorf("contracts: %s, want %s", got, want)
	}
	b.cfg.GasToken = chain.GasToken{Token: common.Address{3}, L2Ether: common.Address{4}, Name: "Talaria", Symbol: "TLR"}
	if got, want := text("talaria_l1Contracts", `[]`), `"nativeCurrency":{"name":"Talaria","symbol":"TLR","decimals":18,"l1Token":`+a("03")+`,"l2Ether":`+a("04")+`}}`; !strings.HasSuffix(got, want) {
		t.Errorf("native currency: %s, want %s", got, want)
	}
}
