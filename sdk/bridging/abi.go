package bridging

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/talaria-l2/talaria/l1/bindings"
)

// Predeploys that the client calls.
var (
	messagePasser = common.HexToAddress("0x4200000000000000000000000000000000000016")
	l2Bridge      = common.HexToAddress("0x4200000000000000000000000000000000000010")
)

// calls are what the client calls of L2's predeploys and of tokens.
const calls = `[
{"type":"function","name":"initiateWithdrawal","stateMutability":"payable","inputs":[{"name":"target","type":"address"},{"name":"gasLimit","type":"uint256"},{"name":"data","type":"bytes"}],"outputs":[]},
{"type":"function","name":"withdrawTo","stateMutability":"payable","inputs":[{"name":"l2Token","type":"address"},{"name":"to","type":"address"},{"name":"amount","type":"uint256"},{"name":"minGasLimit","type":"uint32"},{"name":"extraData","type":"bytes"}],"outputs":[]},
{"type":"function","name":"relayMessage","stateMutability":"payable","inputs":[{"name":"nonce","type":"uint256"},{"name":"sender","type":"address"},{"name":"target","type":"address"},{"name":"value","type":"uint256"},{"name":"minGasLimit","type":"uint256"},{"name":"message","type":"bytes"}],"outputs":[]},
{"type":"function","name":"refundMessage","stateMutability":"nonpayable","inputs":[{"name":"nonce","type":"uint256"},{"name":"sender","type":"address"},{"name":"target","type":"address"},{"name":"value","type":"uint256"},{"name":"minGasLimit","type":"uint256"},{"name":"message","type":"bytes"}],"outputs":[]},
{"type":"function","name":"approve","stateMutability":"nonpayable","inputs":[{"name":"spender","type":"address"},{"name":"amount","type":"uint256"}],"outputs":[]},
{"type":"function","name":"allowance","stateMutability":"view","inputs":[{"name":"owner","type":"address"},{"name":"spender","type":"address"}],"outputs":[{"name":"","type":"uint256"}]},
{"type":"function","name":"balanceOf","stateMutability":"view","inputs":[{"name":"owner","type":"address"}],"outputs":[{"name":"","type":"uint256"}]},
{"type":"function","name":"decimals","stateMutability":"view","inputs":[],"outputs":[{"name":"","type":"uint8"}]},
{"type":"function","name":"name","stateMutability":"view","inputs":[],"outputs":[{"name":"","type":"string"}]},
{"type":"function","name":"symbol","stateMutability":"view","inputs":[],"outputs":[{"name":"","type":"string"}]},
{"type":"function","name":"remoteToken","stateMutability":"view","inputs":[],"outputs":[{"name":"","type":"address"}]},
{"type":"event","name":"DepositFailed","inputs":[{"name":"l1Token","type":"address","indexed":true},{"name":"l2Token","type":"address","indexed":true},{"name":"from","type":"address","indexed":true},{"name":"to","type":"address","indexed":false},{"name":"amount","type":"uint256","indexed":false},{"name":"extraData","type":"bytes","indexed":false}]},
{"type":"event","name":"FailedRelayedMessage","inputs":[{"name":"msgHash","type":"bytes32","indexed":true}]},
{"type":"error","name":"NotMintable","inputs":[{"name":"token","type":"address"}]},
{"type":"error","name":"WrongRemoteToken","inputs":[{"name":"localToken","type":"address"},{"name":"remoteToken","type":"address"}]},
{"type":"error","name":"NotExternallyOwned","inputs":[{"name":"caller","type":"address"}]},
{"type":"error","name":"EtherWithCustomGasToken","inputs":[]},
{"type":"error","name":"NotTheSender","inputs":[{"name":"caller","type":"address"},{"name":"sender","type":"address"}]},
{"type":"error","name":"MessageNotFailed","inputs":[{"name":"messageHash","type":"bytes32"}]},
{"type":"error","name":"MessageAlreadyRelayed","inputs":[{"name":"messageHash","type":"bytes32"}]},
{"type":"error","name":"MessageWasRefunded","inputs":[{"name":"messageHash","type":"bytes32"}]},
{"type":"error","name":"NothingToRefund","inputs":[{"name":"messageHash","type":"bytes32"}]},
{"type":"error","name":"ERC20InsufficientBalance","inputs":[{"name":"sender","type":"address"},{"name":"balance","type":"uint256"},{"name":"needed","type":"uint256"}]},
{"type":"error","name":"ERC20InsufficientAllowance","inputs":[{"name":"spender","type":"address"},{"name":"allowance","type":"uint256"},{"name":"needed","type":"uint256"}]}
]`

// tables are the calls, and the errors of all contracts that may refuse one.
func tables() (abi.ABI, map[[4]byte]abi.Error, error) {
	own, err := abi.JSON(strings.NewReader(calls))
	if err != nil {
		return own, nil, err
	}
	refusals := map[[4]byte]abi.Error{}
	add := func(a *abi.ABI) {
		for _, e := range a.Errors {
			refusals[[4]byte(e.ID[:4])] = e
		}
	}
	add(&own)
	for _, m := range []*bind.MetaData{
		&bindings.PortalMetaData, &bindings.L1StandardBridgeMetaData, &bindings.L1CrossDomainMessengerMetaData, &bindings.NativeTokenBridgeMetaData,
		&bindings.InstantExitMetaData, &bindings.SignedCheckpointsMetaData, &bindings.HybridGameMetaData,
	} {
		a, err := m.ParseABI()
		if err != nil {
			return own, nil, err
		}
		add(a)
	}
	return own, refusals, nil
}

// explain adds to an error the name of what a contract reverted with, and a hint.
func (c *Client) explain(err error) error {
	var coded rpc.DataError
	if !errors.As(err, &coded) {
		return err
	}
	text, _ := coded.ErrorData().(string)
	data, bad := hexutil.Decode(text)
	if bad != nil || len(data) < 4 {
		return err
	}
	e, ok := c.reverts[[4]byte(data[:4])]
	if !ok {
		return err
	}
	args := ""
	if values, err := e.Inputs.Unpack(data[4:]); err == nil {
		for i, v := range values {
			if i > 0 {
				args += ", "
			}
			args += fmt.Sprintf("%s %v", e.Inputs[i].Name, plain(v))
		}
	}
	out := fmt.Errorf("%s(%s)", e.Name, args)
	if hint := hints[e.Name]; hint != "" {
		out = fmt.Errorf("%w: %s", out, hint)
	}
	return &Refusal{Name: e.Name, err: out}
}

func plain(v any) any {
	switch v := v.(type) {
	case [32]byte:
		return common.Hash(v)
	case []byte:
		return hexutil.Bytes(v)
	}
	return v
}

// Refusal is a contract's error, by its name.
type Refusal struct {
	Name string
	err  error
}

func (r *Refusal) Error() string { return "refused: " + r.err.Error() }

// hints say what to do about refusals.
var hints = map[string]string{
	"TokenRefused":                          "its balances change by themselves, so that the bridge cannot hold it",
	"EscrowShort":                           "the token's balances have shrunk in the bridge; it takes no more of it",
	"NothingArrived":                        "the token takes the whole amount as its fee",
	"AmountChanged":                         "the token takes a fee, which the chain's currency must not",
	"BlockGasExceeded":                      "this L1 block's deposits are full: try again",
	"OptimismPortal_GasLimitTooLow":         "give more L2 gas with --gas",
	"OptimismPortal_CalldataTooLarge":       "at most 120,000 bytes",
	"OptimismPortal_CallPaused":             "exits are paused: see talaria bridge status",
	"CallPaused":                            "exits are paused: see talaria bridge status",
	"OptimismPortal_Unproven":               "prove it first",
	"OptimismPortal_ProofNotOldEnough":      "see talaria bridge status for the time",
	"OptimismPortal_InvalidRootClaim":       "its claim is not final: see talaria bridge status",
	"OptimismPortal_AlreadyFinalized":       "it is paid already",
	"OptimismPortal_InvalidDisputeGame":     "the claim does not count any more: ask for its status again",
	"OptimismPortal_InvalidMerkleProof":     "the L2 node's proof is wrong: ask another node",
	"OptimismPortal_InvalidOutputRootProof": "the L2 node's block is not the claim's: ask another node",
	"WithdrawalCallFailed":                  "its call on L1 fails; it stays payable",
	"NotAttested":                           "no signed block holds it yet",
	"PayoutTooSmall":                        "the pool's fee has risen above what the withdrawal allows: wait for the portal, or for the pool to fill",
	"NotEnoughCash":                         "the pool has lent out what it has: wait, or take the slow way",
	"AdvancesOverdue":                       "what the pool has lent out has not come back for long: nobody may come in until it does",
	"Locked":                                "a deposit stays in the pool for a time",
	"NotEnoughShares":                       "see talaria bridge pool status",
	"NotEnoughGasToBurn":                    "the price of deposits has risen: try again",
	"NotMintable":                           "this token does not stand for a token of L1",
	"WrongRemoteToken":                      "these two tokens do not stand for each other",
	"Voided":                                "the attestor signed two blocks of one height: the pool pays nothing until another is named",
	"NotReplayable":                         "the message has not failed",
	"NotTheSender":                          "only who sent the message on L1 takes it back",
	"MessageNotFailed":                      "the message has not failed on L2, or not arrived there yet: see talaria bridge status",
	"MessageAlreadyRelayed":                 "the message succeeded on L2",
	"MessageWasRefunded":                    "it was taken back before",
	"NothingToRefund":                       "the message carries nothing; anybody may deliver it again",
	"ERC20InsufficientBalance":              "the account has too little of the token",
}
