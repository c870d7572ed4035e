package rpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// devHandler is the handler of a method that only a development chain has.
type devHandler = func(c *call, a *args, d DevControls) (rawJSON, error)

const jsonZero = `"0x0"`

// dev adds a method of a development chain under all its names.
func (s *Server) dev(t methodTable, names string, maxArgs int, about, test string, f devHandler) {
	for _, name := range strings.Fields(names) {
		t.slow(name, maxArgs, func(c *call, a *args) (rawJSON, error) {
			d := s.backend.Dev()
			if d == nil {
				return nil, Errorf(CodeNoMethod, "method %s is only on a development chain: start with --dev", name)
			}
			return f(c, a, d)
		}).doc(about, test)
	}
}

// both are a method's names in anvil's and Hardhat's namespaces.
func both(name string) string { return "anvil_" + name + " hardhat_" + name }

// devMethods are the commands of a development chain.
func (s *Server) devMethods(t methodTable) {
	s.devMining(t)
	s.devState(t)
	s.devAccounts(t)
	for names, why := range map[string]string{
		both("setCoinbase"):     "fees go to the sequencer's vault: its address is part of the chain's rules",
		both("setMinGasPrice"):  "the lowest base fee is part of the genesis file",
		both("dropTransaction"): "a transaction is executed when it comes: none waits to be dropped",
		both("dumpState") + " anvil_loadState hardhat_loadState": "keep the data directory, or use evm_snapshot",
		both("setRpcUrl"): "this chain is no fork of another",
		"evm_setBlockGasLimit anvil_setBlockGasLimit": "the block gas limit is part of the genesis file",
	} {
		s.dev(t, names, 4, "Refused: "+why, "rpc.TestADevelopmentChainSaysWhatItCannotDo", func(*call, *args, DevControls) (rawJSON, error) {
			return nil, Errorf(CodeServer, "not on this chain: %s", why)
		})
	}
}

// devMining are the methods about blocks and time.
func (s *Server) devMining(t methodTable) {
	s.dev(t, "evm_mine", 1, "Seals a block, or as many as asked, with the timestamp given for the first", "e2e.TestDevelopmentChain", evmMine)
	s.dev(t, both("mine"), 2, "Seals blocks, a number of seconds apart", "e2e.TestDevelopmentChain", devMine)
	s.dev(t, "evm_increaseTime anvil_increaseTime", 1, "Puts the chain's clock forward by seconds and returns how far it is ahead", "role/sequencer.TestTheClockOfADevelopmentChainIsSetAndKept",
		devSet(func(a *args, n *big.Int, set *DevSettings, _ DevNow) error {
			const most = 1 << 40
			if n.Sign() < 0 || !n.IsUint64() || n.Uint64() > most {
				return fmt.Errorf("seconds %s: allowed is 0..%d", n, uint64(most))
			}
			set.OffsetMicros += n.Int64() * 1_000_000
			return nil
		}, offsetJSON))
	s.dev(t, "evm_setTime anvil_setTime", 1, "Sets the chain's clock to a Unix time in seconds, or in milliseconds from 10^11 on", "role/sequencer.TestTheClockOfADevelopmentChainIsSetAndKept",
		devSet(func(a *args, n *big.Int, set *DevSettings, now DevNow) error {
			if milliseconds := big.NewInt(100_000_000_000); n.Cmp(milliseconds) >= 0 {
				n = new(big.Int).Div(n, big.NewInt(1000))
			}
			if !n.IsUint64() {
				return fmt.Errorf("time %s: allowed is 0..2^40 seconds", n)
			}
			if err := now.CheckTimestamp(n.Uint64()); err != nil {
				return err
			}
			set.OffsetMicros = n.Int64()*1_000_000 - int64(now.Clock)
			return nil
		}, offsetJSON))
	s.dev(t, "evm_setNextBlockTimestamp anvil_setNextBlockTimestamp", 1, "Sets the timestamp in seconds of the next block; the clock goes on from there", "e2e.TestDevelopmentChain",
		devSet(func(a *args, n *big.Int, set *DevSettings, now DevNow) error {
			if !n.IsUint64() {
				return fmt.Errorf("timestamp %s: allowed is 0..2^40 seconds", n)
			}
			if err := now.notOpen("timestamp"); err != nil {
				return err
			}
			set.NextTimestamp = n.Uint64()
			return now.CheckTimestamp(set.NextTimestamp)
		}, nil))
	interval := func(unit uint64) devHandler {
		return devSet(func(a *args, n *big.Int, set *DevSettings, _ DevNow) error {
			if !n.IsUint64() || n.Uint64()/unit > 1<<32 {
				return fmt.Errorf("interval %s: allowed is 0..2^32 seconds", n)
			}
			set.Interval = n.Uint64() / unit
			return nil
		}, nil)
	}
	s.dev(t, "anvil_setBlockTimestampInterval", 1, "Makes each block's timestamp so many seconds later than its parent's; 0 ends that", "rpc.TestDevelopmentSettings", interval(1))
	s.dev(t, "hardhat_setBlockTimestampInterval", 1, "Is anvil_setBlockTimestampInterval in milliseconds", "rpc.TestDevelopmentSettings", interval(1000))
	s.dev(t, both("removeBlockTimestampInterval"), 0, "Lets the clock give timestamps again", "rpc.TestDevelopmentSettings",
		devChange(func(_ *args, set *DevSettings, _ DevNow) error { set.Interval = 0; return nil }, func(*DevSettings) rawJSON { return rawJSON(jsonTrue) }))
	s.dev(t, "evm_setAutomine anvil_setAutomine", 1, "Says whether a block is sealed after each transaction; without, transactions are executed when they come and sealed by command", "role/sequencer.TestWithoutAutomineBlocksAreSealedByCommand",
		func(c *call, a *args, d DevControls) (rawJSON, error) {
			on := read(a, 0, decodeBool)
			if a.err != nil {
				return nil, a.err
			}
			return devChange(func(_ *args, set *DevSettings, _ DevNow) error {
				if set.Manual = !on; on {
					set.IntervalMillis = 0
				}
				return nil
			}, func(*DevSettings) rawJSON { return rawJSON(jsonTrue) })(c, a, d)
		})
	s.dev(t, both("getAutomine"), 0, "Says whether a block is sealed after each transaction", "rpc.TestDevelopmentSettings",
		devChange(func(*args, *DevSettings, DevNow) error { return nil }, func(set *DevSettings) rawJSON { return boolJSON(!set.Manual) }))
	s.dev(t, "evm_setIntervalMining anvil_setIntervalMining", 1, "Seals a block so often, in seconds below 100 and in milliseconds from there on, instead of after each transaction; 0 ends that", "role/sequencer.TestBlocksAreSealedByTime",
		devSet(func(_ *args, n *big.Int, set *DevSettings, _ DevNow) error {
			const most = 3_600_000
			if !n.IsUint64() || n.Uint64() > most {
				return fmt.Errorf("interval %s: allowed is 0..%d milliseconds", n, most)
			}
			set.IntervalMillis = chain.Millis(millisOf(n.Uint64()))
			set.Manual = true
			return nil
		}, nil))
	s.dev(t, both("setNextBlockBaseFeePerGas"), 1, "Sets the base fee in wei per gas of the next block", "role/sequencer.TestTheNextBlocksFeeAndRandomnessAreSet",
		devSet(func(_ *args, n *big.Int, set *DevSettings, now DevNow) error {
			if n.Sign() < 0 || n.BitLen() > 128 {
				return fmt.Errorf("base fee %s: allowed is 0..2^128-1", n)
			}
			set.NextBaseFee, set.BaseFeeBlock = n, now.Head+1
			return now.notOpen("base fee")
		}, nil))
	s.dev(t, both("setPrevRandao"), 1, "Sets the randomness of the next block", "role/sequencer.TestTheNextBlocksFeeAndRandomnessAreSet",
		devSet(func(_ *args, n *big.Int, set *DevSettings, now DevNow) error {
			if n.Sign() < 0 || n.BitLen() > 256 {
				return errors.New("randomness has more than 32 bytes")
			}
			hash := common.BigToHash(n)
			set.PrevRandao, set.RandaoBlock = &hash, now.Head+1
			return now.notOpen("randomness")
		}, nil))
}

// offsetJSON is how far the chain's clock is ahead, in whole seconds.
func offsetJSON(set *DevSettings) rawJSON {
	return rawJSON(strconv.FormatFloat(math.Round(float64(set.OffsetMicros)/1e6), 'f', 0, 64))
}

// millisOf is an interval as anvil or Hardhat gives it, in seconds or milliseconds: it
// is below 100 or not.
func millisOf(n uint64) uint64 {
	if n < 100 {
		return n * 1000
	}
	return n
}

func boolJSON(v bool) rawJSON {
	if v {
		return rawJSON(jsonTrue)
	}
	return rawJSON(jsonFalse)
}

// notOpen refuses to set what the open block has already.
func (n DevNow) notOpen(what string) error {
	if n.OpenTxs > 0 {
		return fmt.Errorf("the open block has %d transactions, and its %s already: evm_mine first", n.OpenTxs, what)
	}
	return nil
}

// devChange is a method that changes the settings. answer is null if it is nil.
func devChange(change func(*args, *DevSettings, DevNow) error, answer func(*DevSettings) rawJSON) devHandler {
	return func(c *call, a *args, d DevControls) (rawJSON, error) {
		set, err := d.Change(c.ctx, func(set *DevSettings, now DevNow) error { return change(a, set, now) })
		if err != nil || answer == nil {
			return nil, err
		}
		return answer(&set), nil
	}
}

// devSet is devChange whose first argument is a number.
func devSet(change func(*args, *big.Int, *DevSettings, DevNow) error, answer func(*DevSettings) rawJSON) devHandler {
	return func(c *call, a *args, d DevControls) (rawJSON, error) {
		n := read(a, 0, decodeNumber)
		if a.err != nil {
			return nil, a.err
		}
		return devChange(func(a *args, set *DevSettings, now DevNow) error { return change(a, n, set, now) }, answer)(c, a, d)
	}
}

// decodeNumber reads a number as test suites write it: JSON, hex with or without leading
// zeros, or decimal in a string.
func decodeNumber(raw []byte) (*big.Int, error) {
	s := string(raw)
	if raw[0] == '"' {
		s = unquote(raw)
	}
	n, ok := new(big.Int), false
	if digits, isHex := strings.CutPrefix(strings.ToLower(s), "0x"); len(s) <= 80 {
		if isHex {
			n, ok = n.SetString("0"+digits, 16)
		} else {
			n, ok = n.SetString(s, 10)
		}
	}
	if !ok {
		return nil, errors.New("want a whole number, in hex or decimal")
	}
	return n, nil
}

func decodeUint(raw []byte) (uint64, error) {
	n, err := decodeNumber(raw)
	if err != nil {
		return 0, err
	}
	if !n.IsUint64() {
		return 0, errors.New("number is outside 0..2^64-1")
	}
	return n.Uint64(), nil
}

func decodeWei(raw []byte) (*uint256.Int, error) {
	n, err := decodeNumber(raw)
	if err != nil {
		return nil, err
	}
	v, overflow := uint256.FromBig(n)
	if overflow || n.Sign() < 0 {
		return nil, errors.New("amount is outside 0..2^256-1")
	}
	return v, nil
}

// evmMine is evm_mine: a timestamp, or an object with timestamp and blocks, or nothing.
func evmMine(c *call, a *args, d DevControls) (rawJSON, error) {
	order := DevMine{Blocks: 1}
	if a.has(0) && a.raw[0][0] == '{' {
		var o struct {
			Timestamp, Blocks json.RawMessage
		}
		a.object(0, &o, false)
		for _, field := range []struct {
			raw  json.RawMessage
			into *uint64
		}{{o.Timestamp, &order.Timestamp}, {o.Blocks, &order.Blocks}} {
			if len(field.raw) == 0 || field.raw[0] == 'n' {
				continue
			}
			n, err := decodeUint(field.raw)
			if err != nil {
				a.fail(0, err)
			}
			*field.into = n
		}
	} else {
		order.Timestamp = readOr(a, 0, 0, decodeUint)
	}
	if a.err != nil {
		return nil, a.err
	}
	return rawJSON(jsonZero), d.Mine(c.ctx, order)
}

// devMine is anvil_mine: how many blocks, and how many seconds apart.
func devMine(c *call, a *args, d DevControls) (rawJSON, error) {
	order := DevMine{Blocks: readOr(a, 0, 1, decodeUint), Interval: readOr(a, 1, 0, decodeUint)}
	if a.err != nil {
		return nil, a.err
	}
	return rawJSON(jsonTrue), d.Mine(c.ctx, order)
}

// devState are the methods that change the state, or go back.
func (s *Server) devState(t methodTable) {
	edit := func(name string, args int, about string, f func(a *args, e *DevEdit)) {
		s.dev(t, both(name), args, about, "role/sequencer.TestEditsAreInStateRootHistoryAndAfterACrash", devEdit(f))
	}
	edit("setBalance", 2, "Sets an account's balance in wei", func(a *args, e *DevEdit) { e.Balance = read(a, 1, decodeWei) })
	edit("setNonce", 2, "Sets an account's nonce, which cannot go back", func(a *args, e *DevEdit) {
		nonce := read(a, 1, decodeUint)
		e.Nonce = &nonce
	})
	edit("setCode", 2, "Sets an account's code", func(a *args, e *DevEdit) {
		code := a.bytes(1)
		e.Code = &code
	})
	edit("setStorageAt", 3, "Sets a slot of an account, which must exist", func(a *args, e *DevEdit) {
		slot := read(a, 1, decodeWord)
		e.Slot, e.Value = &slot, read(a, 2, decodeWord)
	})
	s.dev(t, "evm_snapshot anvil_snapshot", 0, "Seals what is open and returns an id with which evm_revert goes back to here", "e2e.TestDevelopmentChain",
		func(c *call, _ *args, d DevControls) (rawJSON, error) {
			id, err := d.Snapshot(c.ctx)
			return quantity(id), err
		})
	s.dev(t, "evm_revert anvil_revert", 1, "Goes back to a snapshot, which is used up with all later ones; false if there is none with that id", "role/sequencer.TestGoingBackUndoesBlocksEditsAndTime",
		func(c *call, a *args, d DevControls) (rawJSON, error) {
			id := read(a, 0, decodeUint)
			if a.err != nil {
				return nil, a.err
			}
			known, err := d.Revert(c.ctx, id)
			return boolJSON(known), err
		})
	s.dev(t, both("reset"), 1, "Goes back to the genesis block, and forgets settings and snapshots", "role/sequencer.TestResetGoesBackToGenesis",
		func(c *call, a *args, d DevControls) (rawJSON, error) {
			var o struct {
				Forking json.RawMessage `json:"forking"`
			}
			a.object(0, &o, true)
			if a.err == nil && len(o.Forking) > 0 && o.Forking[0] != 'n' {
				return nil, Errorf(CodeServer, "not on this chain: it is no fork of another (reset without forking goes back to genesis)")
			}
			return rawJSON(jsonTrue), d.Reset(c.ctx)
		})
}

func devEdit(f func(*args, *DevEdit)) devHandler {
	return func(c *call, a *args, d DevControls) (rawJSON, error) {
		e := DevEdit{Address: a.address(0)}
		f(a, &e)
		if a.err != nil {
			return nil, a.err
		}
		return rawJSON(jsonTrue), d.Edit(c.ctx, e)
	}
}

// decodeWord reads up to 32 bytes as a number.
func decodeWord(raw []byte) (common.Hash, error) {
	n, err := decodeNumber(raw)
	if err != nil || n.Sign() < 0 || n.BitLen() > 256 {
		return common.Hash{}, errors.New("want up to 32 bytes in hex, or a number")
	}
	return common.BigToHash(n), nil
}

// impersonation is a method that changes who may send without signature.
func impersonation(f func(set *DevSettings, account common.Address)) devHandler {
	return func(c *call, a *args, d DevControls) (rawJSON, error) {
		account := a.address(0)
		if a.err != nil {
			return nil, a.err
		}
		_, err := d.Change(c.ctx, func(set *DevSettings, _ DevNow) error {
			f(set, account)
			return nil
		})
		return rawJSON(jsonTrue), err
	}
}
