package evm

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math/big"
	"unsafe"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
)

var eventSeed = maphash.MakeSeed()

// events notes what a tracer is told: a hash of each event, and the gas at each step.
// The text is made only of the event that is asked for and the two before.
type events struct {
	state  bool // balances, nonces, code and storage too
	hashes []uint64
	steps  []traceStep
	wanted int // index of the event whose text is made; -1: none
	text   string
	seen   *coverage // nil: not counted
	ended  bool      // what comes now belongs to the block
}

type traceStep struct {
	gas, cost uint64
	depth     int
}

// coverage counts instructions that went well and that failed.
type coverage struct{ good, bad [256]uint64 }

func (e *events) add(text func() string, hash uint64) {
	if e.ended {
		return
	}
	if n := len(e.hashes); e.wanted >= n && e.wanted-n < 3 {
		e.text += "\n" + text()
	}
	e.hashes = append(e.hashes, hash)
}

// say adds an event that is rare.
func (e *events) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	e.add(func() string { return text }, maphash.String(eventSeed, text))
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (e *events) hooks() *tracing.Hooks {
	h := &tracing.Hooks{
		OnOpcode: func(pc uint64, op byte, gas, cost uint64, scope tracing.OpContext, returned []byte, depth int, err error) {
			e.steps = append(e.steps, traceStep{gas, cost, depth})
			if e.seen != nil {
				if err != nil {
					e.seen.bad[op]++
				} else {
					e.seen.good[op]++
				}
			}
			var sum maphash.Hash
			sum.SetSeed(eventSeed)
			for _, v := range [...]uint64{pc, uint64(op), gas, cost, uint64(depth)} {
				maphash.WriteComparable(&sum, v)
			}
			if stack := scope.StackData(); len(stack) > 0 {
				sum.Write(unsafe.Slice((*byte)(unsafe.Pointer(&stack[0])), len(stack)*32))
			}
			sum.WriteByte(1)
			sum.Write(scope.MemoryData())
			sum.WriteByte(2)
			sum.Write(returned)
			sum.WriteByte(3)
			sum.WriteString(errorText(err))
			address, caller := scope.Address(), scope.Caller()
			sum.Write(address[:])
			sum.Write(caller[:])
			e.add(func() string {
				return fmt.Sprintf("opcode pc %d op %#x gas %d cost %d depth %d error %q address %v caller %v\nstack %v\nmemory %x\nreturned %x",
					pc, op, gas, cost, depth, errorText(err), address, caller, scope.StackData(), scope.MemoryData(), returned)
			}, sum.Sum64())
		},
		OnFault: func(pc uint64, op byte, gas, cost uint64, scope tracing.OpContext, depth int, err error) {
			if e.seen != nil && !errors.Is(err, vm.ErrExecutionReverted) {
				e.seen.bad[op]++
				e.seen.good[op]--
			}
			e.say("fault pc %d op %#x gas %d cost %d depth %d error %q stack %v", pc, op, gas, cost, depth, errorText(err), scope.StackData())
		},
		OnEnter: func(depth int, op byte, from, to common.Address, input []byte, gas uint64, value *big.Int) {
			e.say("enter depth %d op %#x from %v to %v input %x gas %d value %v", depth, op, from, to, input, gas, value)
		},
		OnExit: func(depth int, output []byte, used uint64, err error, reverted bool) {
			e.say("exit depth %d output %x used %d error %q reverted %v", depth, output, used, errorText(err), reverted)
		},
		OnTxEnd: func(*types.Receipt, error) { e.ended = true },
		OnLog:   func(l *types.Log) { e.say("log %v %v %x", l.Address, l.Topics, l.Data) },
	}
	if e.state {
		h.OnBalanceChange = func(addr common.Address, before, after *big.Int, reason tracing.BalanceChangeReason) {
			e.say("balance %v %v %v %v", addr, before, after, reason)
		}
		h.OnNonceChangeV2 = func(addr common.Address, before, after uint64, reason tracing.NonceChangeReason) {
			e.say("nonce %v %d %d %v", addr, before, after, reason)
		}
		h.OnCodeChangeV2 = func(addr common.Address, _ common.Hash, before []byte, _ common.Hash, after []byte, reason tracing.CodeChangeReason) {
			e.say("code %v %x %x %v", addr, before, after, reason)
		}
		h.OnStorageChange = func(addr common.Address, slot, before, after common.Hash) {
			e.say("storage %v %v %v %v", addr, slot, before, after)
		}
	}
	return h
}

// firstDifference is the index of the first event in which two runs differ, or -1.
func firstDifference(a, b *events) int {
	for i := range max(len(a.hashes), len(b.hashes)) {
		if i >= len(a.hashes) || i >= len(b.hashes) || a.hashes[i] != b.hashes[i] {
			return i
		}
	}
	return -1
}
