package validator

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/verify"
	"github.com/talaria-l2/talaria/verify/opinion"
)

// evidenceVersion is that of the file's form (docs/spec/validation.md, "Evidence").
const evidenceVersion = 1

// Evidence is a block with all that is needed to check it, and the fault that was found.
type Evidence struct {
	Version int            `json:"version"`
	Config  chain.Config   `json:"config"`
	Leader  common.Address `json:"leader"` // who must have signed
	Origin  chain.L1Origin `json:"genesisOrigin"`
	Number  uint64         `json:"number"`
	Hash    common.Hash    `json:"hash"`
	Fault   *verify.Fault  `json:"fault"`

	Header     hexutil.Bytes   `json:"header"`           // RLP
	Before     hexutil.Bytes   `json:"before,omitempty"` // RLP of the mini-block header before
	MiniBlocks []hexutil.Bytes `json:"miniBlocks"`       // as the feed has them
	Witness    hexutil.Bytes   `json:"witness"`          // RLP

	L1 *L1Evidence `json:"l1,omitempty"` // of a block that is right by itself, and not L1's
}

// ErrNotConfirmed is wrapped where evidence does not show what it says.
var ErrNotConfirmed = errors.New("the evidence is not confirmed")

// NewEvidence puts an input that has a fault into the form of a file. The mini-blocks are
// those of in, as they came.
func NewEvidence(cfg *chain.Config, in *verify.Input, minis []*feed.RawMiniBlock, fault *verify.Fault) (*Evidence, error) {
	leader := in.Leader
	if leader == (common.Address{}) {
		leader = cfg.Sequencer
	}
	e := &Evidence{
		Version: evidenceVersion, Config: *cfg, Leader: leader, Origin: in.Genesis,
		Number: in.Header.Number.Uint64(), Hash: in.Header.Hash(), Fault: fault,
	}
	var err1, err2, err3 error
	e.Header, err1 = rlp.EncodeToBytes(in.Header)
	if in.Before != nil {
		e.Before, err2 = rlp.EncodeToBytes(in.Before)
	}
	e.Witness, err3 = rlp.EncodeToBytes(in.Witness)
	for _, m := range minis {
		e.MiniBlocks = append(e.MiniBlocks, m.Encoded)
	}
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("evidence about block %d: %w", e.Number, err)
	}
	return e, nil
}

// Encode is the file.
func (e *Evidence) Encode() ([]byte, error) {
	raw, err := json.MarshalIndent(e, "", " ")
	return append(raw, '\n'), err
}

// DecodeEvidence reads a file.
func DecodeEvidence(raw []byte) (*Evidence, error) {
	e := new(Evidence)
	if err := json.Unmarshal(raw, e); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	if e.Version != evidenceVersion || e.Fault == nil {
		return nil, fmt.Errorf("evidence: version %d, want %d, with a fault", e.Version, evidenceVersion)
	}
	if err := e.Config.Check(); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	return e, nil
}

// Input is what the evidence is about.
func (e *Evidence) Input() (*verify.Input, error) {
	in := &verify.Input{Header: new(types.Header), Witness: new(chain.Witness), Leader: e.Leader, Genesis: e.Origin}
	if err := rlp.DecodeBytes(e.Header, in.Header); err != nil {
		return nil, fmt.Errorf("evidence: header: %w", err)
	}
	if err := rlp.DecodeBytes(e.Witness, in.Witness); err != nil {
		return nil, fmt.Errorf("evidence: witness: %w", err)
	}
	if len(e.Before) > 0 {
		in.Before = new(chain.MiniBlockHeader)
		if err := rlp.DecodeBytes(e.Before, in.Before); err != nil {
			return nil, fmt.Errorf("evidence: mini-block before: %w", err)
		}
	}
	for i, raw := range e.MiniBlocks {
		m, err := feed.DecodeRawMiniBlock(raw)
		if err != nil {
			return nil, fmt.Errorf("evidence: mini-block %d: %w", i, err)
		}
		in.MiniBlocks = append(in.MiniBlocks, &m.RawMiniBlock)
	}
	return in, nil
}

// Confirm checks the block again and returns nil if the same fault is found. It believes
// nothing that whoever wrote the evidence says of the block; the configuration, the leader
// and the parent are for the reader to recognise.
func (e *Evidence) Confirm() error {
	in, err := e.Input()
	if err != nil {
		return err
	}
	if hash := in.Header.Hash(); hash != e.Hash || in.Header.Number.Uint64() != e.Number {
		return fmt.Errorf("%w: it is about block %d %s, and holds %d %s", ErrNotConfirmed, e.Number, e.Hash, in.Header.Number, hash)
	}
	if _, err = verify.Block(&e.Config, in); err == nil && e.L1 != nil {
		err = e.confirmL1(in)
	}
	if err == nil && (e.Fault.Kind == opinion.KindReceipt || e.Fault.Kind == opinion.KindStateRoot) {
		err = opinion.Check(&e.Config, in)
	}
	var found *verify.Fault
	switch {
	case err == nil:
		return fmt.Errorf("%w: the block is right", ErrNotConfirmed)
	case !errors.As(err, &found):
		return err
	case *found != *e.Fault:
		return fmt.Errorf("%w: it says %v; found is %v", ErrNotConfirmed, e.Fault, found)
	}
	return nil
}

// confirmL1 compares a block that is right by itself with what L1 determines.
func (e *Evidence) confirmL1(in *verify.Input) error {
	derived, err := e.L1.find(&e.Config, e.Number)
	if err != nil {
		return err
	}
	if f := planOf(in).compare(planFrom(derived), e.Number); f != nil {
		return f
	}
	return nil
}

// Parent is the hash of the block that the one in the evidence stands on.
func (e *Evidence) Parent() common.Hash {
	h := new(types.Header)
	if err := rlp.DecodeBytes(e.Header, h); err != nil {
		return common.Hash{}
	}
	return h.ParentHash
}

// SecondOpinion says in words what go-ethereum comes to.
func (e *Evidence) SecondOpinion() string {
	in, err := e.Input()
	if err == nil {
		err = opinion.Check(&e.Config, in)
	}
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("receipts and state root of block %d are right", e.Number)
}
