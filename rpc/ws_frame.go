package rpc

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"math/bits"
)

// closeCode is a status of RFC 6455 section 7.4.
type closeCode int

// Codes with which the server closes WebSockets.
const (
	closeNormal    closeCode = 1000
	closeGoingAway closeCode = 1001
	closeProtocol  closeCode = 1002
	closeNotText   closeCode = 1007
	closeSlow      closeCode = 1008
	closeTooBig    closeCode = 1009
	closeOverrun   closeCode = 1013
	closeGone      closeCode = -1 // the client has left: nothing is sent
)

// Opcodes of frames, RFC 6455 section 5.2.
const (
	opContinue = 0x0
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xa
)

// frame is the head of one frame from a client.
type frame struct {
	op         byte
	fin        bool
	compressed bool
	size       int    // of the head itself
	length     uint64 // of the payload
	mask       [4]byte
}

func (f *frame) control() bool { return f.op >= opClose }

// wsFault ends a connection whose client breaks the protocol or a limit.
type wsFault struct {
	code   closeCode
	reason string
}

// parseFrame reads the head of a frame. ok is false while it has not come whole.
func parseFrame(b []byte, deflate bool) (f frame, ok bool, bad *wsFault) {
	if len(b) < 2 {
		return f, false, nil
	}
	f.op, f.fin = b[0]&0xf, b[0]&0x80 != 0
	f.compressed = b[0]&0x40 != 0
	short := b[1] & 0x7f
	switch {
	case b[0]&0x30 != 0, f.compressed && (!deflate || f.op != opText && f.op != opBinary):
		return f, false, &wsFault{closeProtocol, "reserved bits are set"}
	case f.op > opPong || f.op > opBinary && f.op < opClose:
		return f, false, &wsFault{closeProtocol, "unknown opcode"}
	case b[1]&0x80 == 0:
		return f, false, &wsFault{closeProtocol, "frame is not masked"}
	case f.control() && (!f.fin || short > 125):
		return f, false, &wsFault{closeProtocol, "control frame is fragmented or longer than 125 bytes"}
	}
	f.size = 2 + 4
	switch short {
	case 126:
		f.size += 2
	case 127:
		f.size += 8
	}
	if len(b) < f.size {
		return f, false, nil
	}
	switch f.length = uint64(short); short {
	case 126:
		f.length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		f.length = binary.BigEndian.Uint64(b[2:])
	}
	if short == 126 && f.length < 126 || short == 127 && (f.length < 1<<16 || f.length >= 1<<63) {
		return f, false, &wsFault{closeProtocol, "length of a frame is not written in the shortest form"}
	}
	copy(f.mask[:], b[f.size-4:])
	return f, true, nil
}

// unmask removes the mask from a payload, of which b starts at offset at.
func unmask(b []byte, mask [4]byte, at int) {
	key := bits.RotateLeft32(binary.LittleEndian.Uint32(mask[:]), -8*(at%4))
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * (i % 4)))
	}
}

// maxFrameHead is the most that a frame of the server puts before its payload.
const maxFrameHead = 10

// appendFrame appends one whole, unmasked frame.
func appendFrame(out []byte, op byte, payload []byte) []byte {
	return append(appendFrameHead(out, 0x80|op, len(payload)), payload...)
}

func appendFrameHead(out []byte, first byte, length int) []byte {
	switch {
	case length < 126:
		return append(out, first, byte(length))
	case length < 1<<16:
		return append(out, first, 126, byte(length>>8), byte(length))
	}
	return binary.BigEndian.AppendUint64(append(out, first, 127), uint64(length))
}

// closePayload is the payload of a close frame.
func closePayload(code closeCode, reason string) []byte {
	const most = 123 // of the reason
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason[:min(len(reason), most)]...)
}

// validClose reports whether a client may close with that code.
func validClose(code int) bool {
	return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006 || code >= 3000 && code < 5000
}

// acceptKey answers Sec-WebSocket-Key, RFC 6455 section 4.2.2.
func acceptKey(key []byte) string {
	sum := sha1.Sum(append(key[:len(key):len(key)], "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func validKey(key []byte) bool {
	raw, err := base64.StdEncoding.DecodeString(string(key))
	return err == nil && len(raw) == 16
}
