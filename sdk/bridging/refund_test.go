package bridging

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/bridge"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1/bindings"
)

func TestTheMessageThatIsTakenBackIsTheOneThatWasSent(t *testing.T) {
	c, portal := newTables(t), common.Address{0xa}
	c.at["portal"] = portal
	relay, refund := c.l2abi.Methods["relayMessage"], c.l2abi.Methods["refundMessage"]
	if want := bindings.NewL1CrossDomainMessenger().PackRelayMessage(new(big.Int), common.Address{}, common.Address{}, new(big.Int), new(big.Int), nil); !bytes.Equal(relay.ID, want[:4]) {
		t.Fatalf("the selector of relayMessage is %x, the messengers' is %x", relay.ID, want[:4])
	}
	message := func(n int64) []byte {
		args, err := relay.Inputs.Pack(big.NewInt(n), common.Address{1}, common.Address{2}, big.NewInt(7), big.NewInt(9), []byte("hello"))
		if err != nil {
			t.Fatal(err)
		}
		return args
	}
	deposit := func(by, to common.Address, data []byte) *types.Log {
		opaque := append(make([]byte, 32+32+8+1), data...)
		text := append(common.BigToHash(big.NewInt(32)).Bytes(), common.BigToHash(big.NewInt(int64(len(opaque)))).Bytes()...)
		text = append(append(text, opaque...), make([]byte, (32-len(opaque)%32)%32)...)
		return &types.Log{Address: by, Topics: []common.Hash{chain.DepositEventTopic, {}, common.BytesToHash(to[:]), {}}, Data: text}
	}
	with := func(selector, args []byte) []byte { return append(bytes.Clone(selector), args...) }
	r := &types.Receipt{Logs: []*types.Log{
		deposit(common.Address{9}, bridge.L2Messenger, with(relay.ID, message(1))), // a stranger's event
		deposit(portal, common.Address{5}, with(relay.ID, message(2))),             // to somebody else
		deposit(portal, bridge.L2Messenger, with(refund.ID, message(3))),           // no message
		deposit(portal, bridge.L2Messenger, with(relay.ID, message(4))),
		{Address: portal},
		deposit(portal, bridge.L2Messenger, with(relay.ID, message(5))),
	}}
	for index, n := range []int64{4, 5} {
		if got, err := c.refundCall(r, uint64(index)); err != nil || !bytes.Equal(got, with(refund.ID, message(n))) {
			t.Errorf("message %d: %x %v", index, got, err)
		}
	}
	if _, err := c.refundCall(r, 2); err == nil || !strings.Contains(err.Error(), "2 messages") {
		t.Errorf("a message that is not there: %v", err)
	}
}
