package tracer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/eth/tracers"
	_ "github.com/ethereum/go-ethereum/eth/tracers/js" // registers the evaluator of scripts
	"github.com/ethereum/go-ethereum/eth/tracers/logger"
	_ "github.com/ethereum/go-ethereum/eth/tracers/native" // registers the tracers by name
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/chain"
)

// Config says what is to be told of a transaction. The zero value is the struct logger
// without a limit.
type Config struct {
	Form Form
	// Tracer is a name of go-ethereum's or a script; empty is the struct logger.
	Tracer string
	// TracerConfig is that tracer's own JSON, may be empty.
	TracerConfig json.RawMessage
	// Scripts allows tracers that are JavaScript.
	Scripts bool

	// Of the struct logger.
	EnableMemory, DisableStack, DisableStorage, EnableReturnData bool
	Limit                                                        int // bytes after which it notes no more; 0: MaxBytes

	// Parts are those of FormReplay.
	Parts Parts

	// MaxBytes bounds the answer, and what is gathered for it; 0: no bound.
	MaxBytes int
}

// Form is the shape of an answer.
type Form uint8

const (
	FormTracer     Form = iota // what the tracer gives
	FormReplay                 // OpenEthereum's, of trace_replayTransaction
	FormCalls                  // Otterscan's list of calls
	FormOperations             // Otterscan's list of internal transfers, creations and destructions
	FormOutput                 // the return data as a JSON string, "0x" unless it reverted
)

// maxScript bounds a script in bytes.
const maxScript = 64 << 10

var (
	errScripts    = errors.New("tracers in JavaScript are not allowed on this node (--script-tracers allows them): use one of callTracer, prestateTracer, flatCallTracer, 4byteTracer, noopTracer, muxTracer or the struct logger")
	errNestedMux  = errors.New("muxTracer inside of muxTracer: give all tracers to one")
	errScriptSize = fmt.Errorf("tracer is larger than %d bytes: shorten the script", maxScript)
)

// TooLargeError says that a trace was stopped because of its size.
type TooLargeError struct{ Limit int }

// Error says what to do.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("trace is larger than %d bytes: use a tracer, or disable stack, memory and storage", e.Limit)
}

// place says where the transaction stands.
type place struct {
	tracers.Context
	firstLog uint64
}

// rules are the chain's as go-ethereum's tracers ask for them: Osaka since genesis.
func rules(cfg *chain.Config) *params.ChainConfig {
	zero, start := new(big.Int), uint64(0)
	return &params.ChainConfig{
		ChainID:        new(big.Int).SetUint64(cfg.ChainID),
		HomesteadBlock: zero, EIP150Block: zero, EIP155Block: zero, EIP158Block: zero,
		ByzantiumBlock: zero, ConstantinopleBlock: zero, PetersburgBlock: zero,
		IstanbulBlock: zero, MuirGlacierBlock: zero, BerlinBlock: zero, LondonBlock: zero,
		ArrowGlacierBlock: zero, GrayGlacierBlock: zero, MergeNetsplitBlock: zero,
		TerminalTotalDifficulty: zero,
		ShanghaiTime:            &start, CancunTime: &start, PragueTime: &start, OsakaTime: &start,
		BlobScheduleConfig: params.DefaultBlobSchedule,
	}
}

// isScript reports whether the tracer, or one that it combines, is JavaScript.
func (c *Config) isScript() bool {
	if c.Tracer == "" || c.Form != FormTracer {
		return false
	}
	if c.Tracer == "muxTracer" {
		var parts map[string]json.RawMessage
		if json.Unmarshal(c.TracerConfig, &parts) != nil {
			return false // refused by the tracer
		}
		for name, raw := range parts {
			if (&Config{Tracer: name, TracerConfig: raw}).isScript() {
				return true
			}
		}
		return false
	}
	return tracers.DefaultDirectory.IsJS(c.Tracer)
}

// muxParts is how many tracers are told of everything: those that a mux combines, else
// 1. It is -1 of a mux inside another, which could multiply them as often as JSON nests.
func (c *Config) muxParts() int {
	var parts map[string]json.RawMessage
	if c.Form != FormTracer || c.Tracer != "muxTracer" || json.Unmarshal(c.TracerConfig, &parts) != nil {
		return 1
	}
	if _, nested := parts["muxTracer"]; nested {
		return -1
	}
	return max(1, len(parts))
}

// tracer makes the one that c names.
func (c *Config) tracer(at *place, cfg *chain.Config) (*tracers.Tracer, error) {
	switch c.Form {
	case FormReplay:
		return newReplayTracer(c.Parts, at, rules(cfg))
	case FormCalls:
		return newCalls(), nil
	case FormOperations:
		return newOperations(), nil
	case FormOutput:
		return newOutput(), nil
	}
	if c.Tracer == "" {
		limit := c.Limit
		if c.MaxBytes > 0 && (limit == 0 || limit > c.MaxBytes) {
			limit = c.MaxBytes
		}
		l := logger.NewStructLogger(&logger.Config{
			EnableMemory: c.EnableMemory, DisableStack: c.DisableStack, DisableStorage: c.DisableStorage,
			EnableReturnData: c.EnableReturnData, Limit: limit,
		})
		return &tracers.Tracer{Hooks: l.Hooks(), GetResult: l.GetResult, Stop: l.Stop}, nil
	}
	if c.muxParts() < 0 {
		return nil, errNestedMux
	}
	if c.isScript() {
		if !c.Scripts {
			return nil, errScripts
		}
		if len(c.Tracer)+len(c.TracerConfig) > maxScript {
			return nil, errScriptSize
		}
	}
	return tracers.DefaultDirectory.New(c.Tracer, &at.Context, c.TracerConfig, rules(cfg))
}

func contextOf(b *Block, i int) tracers.Context {
	return tracers.Context{
		BlockHash: b.Hash, BlockNumber: new(big.Int).SetUint64(b.Env.Number), TxIndex: i, TxHash: common.Hash(b.Txs[i].Hash()),
	}
}
