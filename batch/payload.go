package batch

import (
	"errors"
	"fmt"
)

// MaxPayloadBytes bounds the frames of one piece of batch data that is not in blobs, in
// bytes.
const MaxPayloadBytes = 16 << 20

// EncodeFrames writes frames one behind the other, as calldata and data elsewhere than
// in blobs hold them.
func EncodeFrames(frames []Frame) ([]byte, error) {
	if len(frames) == 0 {
		return nil, errors.New("encode frames: there are none")
	}
	var payload []byte
	for i := range frames {
		if len(frames[i].Data) == 0 {
			return nil, fmt.Errorf("encode frames: frame %d of channel %s is empty", frames[i].Number, frames[i].Channel)
		}
		payload = frames[i].append(payload)
	}
	if len(payload) > MaxPayloadBytes {
		return nil, fmt.Errorf("encode frames: %d bytes, limit %d", len(payload), MaxPayloadBytes)
	}
	return payload, nil
}

// DecodeFrames reads what EncodeFrames writes; the data of the frames aliases payload.
// A payload counts whole or not at all; the error wraps ErrMalformed.
func DecodeFrames(payload []byte) ([]Frame, error) {
	if len(payload) == 0 || len(payload) > MaxPayloadBytes {
		return nil, fmt.Errorf("decode frames: %w: %d bytes, allowed 1..%d", ErrMalformed, len(payload), MaxPayloadBytes)
	}
	return decodeFrames(payload)
}
