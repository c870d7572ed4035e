package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// Magic begins both hellos.
const Magic = "TLRI"

// Version of the protocol that this package speaks.
const Version = 1

// Sizes in bytes.
const (
	// ClientHelloSize is that of the fixed part; the key follows.
	ClientHelloSize = 16
	ServerHelloSize = 24
	HeaderSize      = 4 // of a frame
	HintSize        = common.AddressLength
	AckSize         = 40
	// MaxKeySize bounds the API key.
	MaxKeySize = 512
	// MaxPayload is what a frame's length can say: hint and transaction.
	MaxPayload = 1<<24 - 1
)

// FlagHints in the client's hello allows frames with a sender hint.
const FlagHints = 1 << 0

const knownFlags = FlagHints | FlagReplica

// frameHinted is the bit of a frame's header that says that a hint comes first.
const frameHinted = 1 << 31

// Errors of the decoders. Each is wrapped with what was found.
var (
	ErrMagic   = errors.New("not the ingest protocol")
	ErrVersion = errors.New("version of the ingest protocol is not supported")
	ErrFlags   = errors.New("unknown flags")
	ErrKeySize = errors.New("API key is too long")
	ErrFrame   = errors.New("invalid frame")
)

// ClientHello is the first thing on a connection.
type ClientHello struct {
	Flags   byte
	ChainID uint64 // 0: whatever the server's is
	Key     string // of the API; at most MaxKeySize bytes
}

// Append appends the encoding to b.
func (h *ClientHello) Append(b []byte) []byte {
	b = append(b, Magic...)
	b = append(b, Version, h.Flags)
	b = binary.BigEndian.AppendUint64(b, h.ChainID)
	b = binary.BigEndian.AppendUint16(b, uint16(len(h.Key)))
	return append(b, h.Key...)
}

// ParseClientHello reads the fixed part of a client's hello and says how many bytes of
// key follow.
func ParseClientHello(b *[ClientHelloSize]byte) (h ClientHello, keySize int, err error) {
	if string(b[:4]) != Magic {
		return h, 0, fmt.Errorf("%w: begins with %x", ErrMagic, b[:4])
	}
	if b[4] != Version {
		return h, 0, fmt.Errorf("%w: %d", ErrVersion, b[4])
	}
	h.Flags, h.ChainID = b[5], binary.BigEndian.Uint64(b[6:])
	if h.Flags&^knownFlags != 0 {
		return h, 0, fmt.Errorf("%w: %#x", ErrFlags, h.Flags)
	}
	if keySize = int(binary.BigEndian.Uint16(b[14:])); keySize > MaxKeySize {
		return h, 0, fmt.Errorf("%w: %d bytes, limit %d", ErrKeySize, keySize, MaxKeySize)
	}
	return h, keySize, nil
}

// HelloStatus is the server's answer to a client's hello.
type HelloStatus byte

// Values of HelloStatus. After any but HelloOK the server closes.
const (
	HelloOK         HelloStatus = 0
	HelloVersion    HelloStatus = 1 // Version is the one that the server speaks
	HelloMalformed  HelloStatus = 2
	HelloChain      HelloStatus = 3 // ChainID is the server's
	HelloKey        HelloStatus = 4
	HelloBusy       HelloStatus = 5 // too many connections: try later
	HelloNotReady   HelloStatus = 6 // the node takes no transactions now
	HelloNotTrusted HelloStatus = 7 // the replica is none that the server was told to trust, or proves nothing
	HelloWithdrawn  HelloStatus = 8 // the replica named a wrong sender: its operator must talk to the server's
)

// String says what the status means.
func (s HelloStatus) String() string {
	switch s {
	case HelloOK:
		return "welcome"
	case HelloVersion:
		return "the server speaks another version"
	case HelloMalformed:
		return "the server does not understand the hello"
	case HelloChain:
		return "the server's chain is another one"
	case HelloKey:
		return "the API key is refused"
	case HelloBusy:
		return "the server has too many connections: try later"
	case HelloNotReady:
		return "the node takes no transactions now: try later"
	case HelloNotTrusted:
		return "the server does not trust this replica"
	case HelloWithdrawn:
		return "the server trusts this replica no more: it named a wrong sender"
	}
	return fmt.Sprintf("refused with status %d", byte(s))
}

// ServerHello answers a ClientHello.
type ServerHello struct {
	Version    byte
	Status     HelloStatus
	ChainID    uint64
	Window     uint32 // transactions that may be unacknowledged
	MaxTxBytes uint32 // of one raw transaction
}

// Append appends the encoding to b.
func (h *ServerHello) Append(b []byte) []byte {
	b = append(b, Magic...)
	b = append(b, h.Version, byte(h.Status), 0, 0)
	b = binary.BigEndian.AppendUint64(b, h.ChainID)
	b = binary.BigEndian.AppendUint32(b, h.Window)
	return binary.BigEndian.AppendUint32(b, h.MaxTxBytes)
}

// ParseServerHello reads a server's hello.
func ParseServerHello(b *[ServerHelloSize]byte) (h ServerHello, err error) {
	if string(b[:4]) != Magic {
		return h, fmt.Errorf("%w: begins with %x", ErrMagic, b[:4])
	}
	return ServerHello{
		Version: b[4], Status: HelloStatus(b[5]), ChainID: binary.BigEndian.Uint64(b[8:]),
		Window: binary.BigEndian.Uint32(b[16:]), MaxTxBytes: binary.BigEndian.Uint32(b[20:]),
	}, nil
}

// AppendFrame appends the frame of one raw transaction to b. A sender that is not zero
// is sent as a hint. The transaction must not be empty, nor longer than the server
// allows.
func AppendFrame(b, raw []byte, sender common.Address) []byte {
	if sender == (common.Address{}) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(raw)))
		return append(b, raw...)
	}
	b = binary.BigEndian.AppendUint32(b, frameHinted|uint32(HintSize+len(raw)))
	b = append(b, sender[:]...)
	return append(b, raw...)
}

// Frame is one transaction on the wire.
type Frame struct {
	Raw    []byte         // part of what it was read from
	Sender common.Address // zero: no hint
}

// ParseFrame reads the frame that b begins with and says how long it is. A size of 0
// without an error means that b ends before the frame does; need is then the length
// that b must have at least. Nothing is allocated.
func ParseFrame(b []byte, flags byte, maxTxBytes uint32) (f Frame, size, need int, err error) {
	if len(b) < HeaderSize {
		return f, 0, HeaderSize, nil
	}
	header := binary.BigEndian.Uint32(b)
	length, least := int(header&MaxPayload), 1
	switch header &^ MaxPayload {
	case 0:
	case frameHinted:
		if flags&FlagHints == 0 {
			return f, 0, 0, fmt.Errorf("%w: a sender hint, which the hello did not announce", ErrFrame)
		}
		least += HintSize
	default:
		return f, 0, 0, fmt.Errorf("%w: header %#x", ErrFrame, header)
	}
	if length < least || length-(least-1) > int(maxTxBytes) {
		return f, 0, 0, fmt.Errorf("%w: a transaction of %d bytes, allowed 1..%d", ErrFrame, length-(least-1), maxTxBytes)
	}
	if size = HeaderSize + length; len(b) < size {
		return f, 0, size, nil
	}
	start := HeaderSize + least - 1
	if least > 1 {
		f.Sender = common.Address(b[HeaderSize:start])
	}
	f.Raw = b[start:size:size]
	return f, size, size, nil
}

// Status is the outcome of a transaction.
type Status byte

// Values of Status, with what Ack.Detail holds. A class that is not listed here is
// to be read as Refused.
const (
	Succeeded  Status = 0  // included; number of the mini-block
	Reverted   Status = 1  // included, without effect but its fee; number of the mini-block
	Malformed  Status = 2  // cannot be decoded, of a type or chain that is not accepted
	Signature  Status = 3  // the signature is invalid
	NonceLow   Status = 4  // the nonce is used; expected nonce, 0 if not said
	NonceGap   Status = 5  // the nonces before it did not arrive in time; expected nonce
	Funds      Status = 6  // the sender's balance does not cover value and gas
	FeeLow     Status = 7  // underpriced, or below the base fee
	Overloaded Status = 8  // a limit is reached: send again later
	NotReady   Status = 9  // the node takes no transactions now: send again later
	TooLarge   Status = 10 // bytes, initcode or gas above the chain's limits
	Known      Status = 11 // the same transaction waits already
	Refused    Status = 12 // any other reason

	// Closing is the last thing that the server sends before it closes because of the
	// client: the hash is zero and Detail is a Reason.
	Closing Status = 255
)

// String names the status.
func (s Status) String() string {
	names := [...]string{"succeeded", "reverted", "malformed", "invalid signature", "nonce too low", "nonce gap",
		"insufficient funds", "fee too low", "overloaded", "not ready", "too large", "already known", "refused"}
	switch {
	case int(s) < len(names):
		return names[s]
	case s == Closing:
		return "closing"
	}
	return fmt.Sprintf("status %d", byte(s))
}

// Included reports whether the transaction is in a mini-block.
func (s Status) Included() bool { return s <= Reverted }

// Reason is why the server closes a connection.
type Reason uint64

// Values of Reason.
const (
	ReasonFrame    Reason = 1 // a frame that is not allowed: see ParseFrame
	ReasonIdle     Reason = 2 // nothing was received for too long, or half a frame
	ReasonShutdown Reason = 3 // the server stops
	ReasonForged   Reason = 4 // the replica named a sender who did not sign: its word is not taken any more
)

// String says what the reason means.
func (r Reason) String() string {
	switch r {
	case ReasonFrame:
		return "invalid frame"
	case ReasonIdle:
		return "nothing was received for too long"
	case ReasonShutdown:
		return "the server stops"
	case ReasonForged:
		return "a sender named by this replica did not sign: it is not trusted any more"
	}
	return fmt.Sprintf("reason %d", uint64(r))
}

// MaxDetail is the largest Ack.Detail; a larger value is sent as this one.
const MaxDetail = 1<<56 - 1

// Ack is the answer to one transaction.
type Ack struct {
	Hash   common.Hash // keccak256 of the raw bytes
	Status Status
	Detail uint64 // see Status; at most MaxDetail
}

// Append appends the encoding to b.
func (a *Ack) Append(b []byte) []byte {
	b = append(b, a.Hash[:]...)
	return binary.BigEndian.AppendUint64(b, uint64(a.Status)<<56|min(a.Detail, MaxDetail))
}

// ParseAck reads an acknowledgement.
func ParseAck(b *[AckSize]byte) Ack {
	last := binary.BigEndian.Uint64(b[common.HashLength:])
	return Ack{Hash: common.Hash(b[:common.HashLength]), Status: Status(last >> 56), Detail: last & MaxDetail}
}
