package verify

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/keccak"
)

// Verifier checks blocks one after another, in any order, and uses its memory again. It
// is for one goroutine.
type Verifier struct {
	cfg     *chain.Config
	machine *evm.Machine
	decoder *chain.Decoder
	batch   keccak.Batch
	hashes  []common.Hash
	memory  memory
	nodes   nodeSet
	world   world
	sums    sums
	rooter  rooter
	blooms  blooms
	out     evm.Result
	receipt chain.Receipt // of the transaction that was executed last
	stored  []byte        // its encoding for the disk
	fees    *chain.L1FeeSchedule
}

// New makes a verifier for the chain of cfg, which must not change.
func New(cfg *chain.Config) *Verifier {
	v := &Verifier{cfg: cfg, machine: evm.NewMachine(cfg), decoder: chain.NewDecoder(cfg), fees: new(chain.L1FeeSchedule)}
	v.rooter.batch = &v.batch
	v.nodes.memory, v.world.memory, v.world.nodes = &v.memory, &v.memory, &v.nodes
	return v
}

// Close releases what the verifier holds.
func (v *Verifier) Close() { v.machine.Close() }

// Block checks one block with a verifier of its own.
func Block(cfg *chain.Config, in *Input) (*Result, error) {
	v := New(cfg)
	defer v.Close()
	return v.Block(in)
}

// work is a block that is being checked.
type work struct {
	v        *Verifier
	in       *Input
	ancestry *ancestry
	extra    chain.Extra
	txs      [][]*chain.Tx // by mini-block, with senders that were recovered
	world    *world
	env      *evm.Env
	l1       chain.L1Attributes
	gasUsed  chain.Gas
	receipts [][]byte // encoded
	bloom    types.Bloom
	proven   []bool // by mini-block: its diff has the hash that the header names
	unsigned bool
}

// Block checks a block. The error is a *Fault if the block, or what came with it, is wrong,
// and wraps ErrInput if there is no block.
func (v *Verifier) Block(in *Input) (*Result, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	w := &work{v: v, in: in}
	defer v.release()
	for _, step := range []func() *Fault{w.checkHeader, w.checkMiniBlocks, w.decode, w.prepare, w.checkL1, w.execute, w.checkRoots} {
		if f := step(); f != nil {
			return nil, f
		}
	}
	return &Result{
		Number: in.Header.Number.Uint64(), Hash: in.Header.Hash(), Txs: len(w.receipts), GasUsed: w.gasUsed,
		L1: w.l1, Unsigned: w.unsigned,
		Nodes: len(in.Witness.State), Used: w.world.nodes.visits, Codes: len(in.Witness.Codes),
	}, nil
}

// release makes the memory of a block that of the next, or drops it where it is much.
func (v *Verifier) release() {
	v.world.release()
	v.nodes.release()
	v.rooter.release()
	v.sums.release()
	v.memory.release()
	v.batch.Shrink(keptBytes)
	v.hashes = shrunk(v.hashes, keptValues)
}

func (w *work) checkHeader() *Fault {
	var f *Fault
	if w.ancestry, f = readAncestry(w.in.Header, w.in.Witness.Headers); f != nil {
		return f
	}
	w.extra, f = w.v.checkHeader(w.in.Header, w.ancestry)
	return f
}

// prepare makes the state before the block.
func (w *work) prepare() *Fault {
	h, witness := w.in.Header, w.in.Witness
	w.world = &w.v.world
	w.v.hashes = hashAll(w.v.hashes[:0], witness.Codes, &w.v.batch)
	w.world.open(w.ancestry.parent.Root, witness.Codes, w.v.hashes)
	w.v.nodes.read(witness.State, &w.v.batch)
	w.proveDiffs()
	w.foresee()
	w.env = &evm.Env{
		Number: h.Number.Uint64(), Timestamp: h.Time, GasLimit: h.GasLimit, BaseFee: h.BaseFee,
		PrevRandao: h.MixDigest, Coinbase: h.Coinbase, BaseFeeRecipient: chain.BaseFeeVaultAddr,
		ParentBeaconRoot: *h.ParentBeaconRoot, BlockHash: w.blockHash, L1Fees: w.v.fees, Config: w.v.cfg,
	}
	return nil
}

// blockHash answers BLOCKHASH.
func (w *work) blockHash(number uint64) common.Hash {
	hash, ok := w.ancestry.hash(number)
	if !ok && w.world.fault == nil {
		w.world.fault = fault(KindWitnessHeader, fmt.Sprintf("header %d", number), "none", "witness")
	}
	return hash
}

// checkRoots compares the header with what execution left.
func (w *work) checkRoots() *Fault {
	h, at := w.in.Header, w.in.Header.Number
	if w.gasUsed != h.GasUsed {
		return fault(KindGasUsed, w.gasUsed, h.GasUsed, "block %d", at)
	}
	if w.bloom != h.Bloom {
		return fault(KindBloom, w.bloom[:], h.Bloom[:], "block %d", at)
	}
	if root := w.v.memory.listRoot(w.receipts, &w.v.batch); root != h.ReceiptHash {
		return fault(KindReceiptsRoot, root, h.ReceiptHash, "block %d", at)
	}
	root := w.world.root(&w.v.rooter)
	if w.world.fault != nil {
		return w.world.fault
	}
	if passer := w.passerRoot(); passer != *h.WithdrawalsHash {
		return fault(KindWithdrawalsRoot, passer, *h.WithdrawalsHash, "block %d", at)
	}
	if root != h.Root {
		return fault(KindStateRoot, root, h.Root, "block %d", at)
	}
	return nil
}

// passerRoot is the storage root of the message passer after the block. What no
// transaction touched is as the parent has it, and need not be in the witness.
func (w *work) passerRoot() common.Hash {
	if a := w.world.known[chain.MessagePasserAddr]; a != nil && a.touched {
		return a.root.rootHash()
	}
	if before := w.ancestry.parent.WithdrawalsHash; before != nil {
		return *before
	}
	return types.EmptyRootHash
}
