package light

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// Code says what kind of fault an Error is. The TypeScript client has the same ones.
type Code string

// Faults of nodes. All but CodeTransport and CodeStale show that the node is wrong.
const (
	CodeEncoding  Code = "encoding"  // an answer is not what the method answers
	CodeSignature Code = "signature" // not signed by the leader
	CodeLink      Code = "link"      // does not continue the chain that was checked
	CodeGap       Code = "gap"       // mini-blocks are left out
	CodeContent   Code = "content"   // transactions, receipts or diff are not those of the header
	CodeBlock     Code = "block"     // a block is not the one that a mini-block commits to
	CodeProof     Code = "proof"     // a Merkle proof does not hold
	CodeStale     Code = "stale"     // what the node tells is old and gets no newer
	CodeTransport Code = "transport" // unreachable, refused, or no answer
)

// Error is a fault of a node.
type Error struct {
	Code     Code
	Endpoint string // which node; empty where only an answer was checked
	Detail   string
	Err      error // the cause, may be nil
}

// Error says what is wrong.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Detail
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Endpoint != "" {
		s = e.Endpoint + ": " + s
	}
	return s
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

func fault(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// at is err with the endpoint noted where it is a fault without one.
func at(endpoint string, err error) error {
	if f := new(Error); errors.As(err, &f) && f.Endpoint == "" {
		with := *f
		with.Endpoint = endpoint
		return &with
	}
	return err
}

// Equivocation is the evidence that a leader signed two mini-blocks of one height and
// epoch. It is an error because nothing that this leader signs says anything afterwards.
type Equivocation struct {
	Leader common.Address `json:"leader"`
	A      Signed         `json:"a"`
	B      Signed         `json:"b"`
}

// Error names the height.
func (e *Equivocation) Error() string {
	return fmt.Sprintf("equivocation: %s signed %s and %s as mini-block %d of epoch %d", e.Leader, e.A.Header.Hash(), e.B.Header.Hash(), e.A.Header.Number, e.A.Header.Epoch)
}

// Check verifies the evidence: what it needs is in it.
func (e *Equivocation) Check() error {
	a, b := &e.A.Header, &e.B.Header
	if a.ChainID != b.ChainID || a.Epoch != b.Epoch || a.Number != b.Number || a.Hash() == b.Hash() {
		return errors.New("no equivocation: want different headers of one chain, epoch and number")
	}
	for _, s := range []*Signed{&e.A, &e.B} {
		signer, err := s.Signer()
		if err != nil {
			return err
		}
		if signer != e.Leader {
			return fmt.Errorf("no equivocation of %s: %s signed one of them", e.Leader, signer)
		}
	}
	return nil
}
