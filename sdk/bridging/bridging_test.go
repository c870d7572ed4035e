package bridging

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/bridge"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1/bindings"
)

// revert is a node's answer about a call that reverted.
type revert struct{ data string }

func (revert) Error() string    { return "execution reverted" }
func (revert) ErrorCode() int   { return 3 }
func (r revert) ErrorData() any { return r.data }

func newTables(t *testing.T) *Client {
	t.Helper()
	c := &Client{at: map[string]common.Address{"instantExit": {5}}}
	var err error
	if c.l2abi, c.reverts, err = tables(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRefusalsHaveNamesAndHints(t *testing.T) {
	c := newTables(t)
	for name := range hints {
		found := false
		for _, e := range c.reverts {
			found = found || e.Name == name
		}
		if !found {
			t.Errorf("a hint for %s, which no contract says", name)
		}
	}
	refused := bindings.L1StandardBridgeTokenRefusedErrorID().Hex()[:10] + strings.Repeat("0", 24) + strings.Repeat("ab", 20)
	for _, x := range []struct{ data, says string }{
		{refused, "refused: TokenRefused(token 0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB): its balances change"},
		{"0x12345678", "execution reverted"},
		{"0x", "execution reverted"},
		{"what", "execution reverted"},
	} {
		err := c.explain(fmt.Errorf("deposit: %w", revert{x.data}))
		if !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s: %v, want %s", x.data, err, x.says)
		}
		var r *Refusal
		if named := errors.As(err, &r); named != strings.HasPrefix(x.says, "refused") {
			t.Errorf("%s: a refusal with a name: %v", x.data, named)
		}
	}
}

func TestWhatL2MadeOfADeposit(t *testing.T) {
	c := newTables(t)
	w := &bridge.Withdrawal{Nonce: big.NewInt(1), Value: new(big.Int), GasLimit: new(big.Int), Data: []byte{}}
	hash := w.Hash()
	passed := &types.Log{
		Address: chain.MessagePasserAddr, Topics: []common.Hash{bridge.MessagePassedTopic, common.BigToHash(w.Nonce), {}, {}},
		Data: append(append(append(make([]byte, 64), common.BigToHash(big.NewInt(128)).Bytes()...), hash[:]...), make([]byte, 32)...),
	}
	failed := func(at common.Address, event string) *types.Log {
		return &types.Log{Address: at, Topics: []common.Hash{c.l2abi.Events[event].ID}}
	}
	for name, x := range map[string]struct {
		status  uint64
		logs    []*types.Log
		arrived bool
		refund  common.Hash
		says    string
	}{
		"arrived":             {1, nil, true, common.Hash{}, "arrived"},
		"its call failed":     {0, nil, false, common.Hash{}, "is the sender's there"},
		"goes back":           {1, []*types.Log{passed, failed(l2Bridge, "DepositFailed")}, false, hash, hash.Hex()},
		"its message waits":   {1, []*types.Log{failed(bridge.L2Messenger, "FailedRelayedMessage")}, false, common.Hash{}, "delivered again"},
		"events of strangers": {1, []*types.Log{failed(common.Address{9}, "DepositFailed"), {Address: l2Bridge}}, true, common.Hash{}, "arrived"},
	} {
		a := c.judge(common.Hash{1}, &types.Receipt{Status: x.status, Logs: x.logs, TxHash: common.Hash{2}})
		if a.Arrived != x.arrived || a.Refund != x.refund || !strings.Contains(a.Outcome, x.says) || a.L1Tx != (common.Hash{1}) || a.L2Tx != (common.Hash{2}) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestThePoolIsAskedForItsOwnWithdrawalsOnce(t *testing.T) {
	c := newTables(t)
	s := &Status{State: bridge.WaitingForFinality}
	if c.exitable(s) {
		t.Error("the pool is asked for what is not sent to it")
	}
	s.Withdrawal.Target = common.Address{5}
	if !c.exitable(s) {
		t.Error("the pool is not asked for what is sent to it")
	}
	s.State, s.Repayment = bridge.PaidByPool, bridge.Proven
	if c.exitable(s) || s.way() != bridge.Proven {
		t.Errorf("the pool is asked for what it has paid, of which the way is at %s", s.way())
	}
	delete(c.at, "instantExit")
	if s := new(Status); c.exitable(s) {
		t.Error("a chain without a pool has one at the zero address")
	}
	s.Withdrawal.Value = (*hexutil.Big)(big.NewInt(7))
	if s.tuple().Value.Int64() != 7 {
		t.Error("the tuple has another value")
	}
}
