package rpc

import (
	"bytes"
	"compress/flate"
	"io"
)

// deflateFrom is the least size of a message that is worth compressing.
const deflateFrom = 512

// deflater is permessage-deflate, RFC 7692, without context between messages: a
// context would hold tens of kilobytes for each connection.
type deflater struct{}

// deflateTail ends a compressed message; it is left out on the wire.
var deflateTail = []byte{0, 0, 0xff, 0xff}

// offersDeflate reports whether an offer of extensions has one that is served.
func offersDeflate(offer []byte) bool {
	found := false
	listed(offer, func(ext []byte) {
		name, params, _ := bytes.Cut(ext, []byte(";"))
		if !isName(trimBlank(name), "permessage-deflate") {
			return
		}
		ok := true
		for len(params) > 0 {
			var p []byte
			p, params, _ = bytes.Cut(params, []byte(";"))
			p, _, _ = bytes.Cut(trimBlank(p), []byte("="))
			// A window smaller than ours cannot be kept with compress/flate.
			ok = ok && !isName(trimBlank(p), "server_max_window_bits")
		}
		found = found || ok
	})
	return found
}

// inflate expands a message to at most limit bytes: a few bytes can stand for many.
func (*deflater) inflate(b []byte, limit int64) ([]byte, *wsFault) {
	r := flate.NewReader(io.MultiReader(bytes.NewReader(b), bytes.NewReader(deflateTail), bytes.NewReader([]byte{1, 0, 0, 0xff, 0xff})))
	defer r.Close()
	out, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case int64(len(out)) > limit:
		return nil, &wsFault{closeTooBig, "expanded message is larger than the limit: send less at once"}
	case err != nil:
		return nil, &wsFault{closeNotText, "compressed message is malformed"}
	}
	return out, nil
}

// append appends msg as one compressed frame.
func (*deflater) append(out, msg []byte) []byte {
	var zipped bytes.Buffer
	w, err := flate.NewWriter(&zipped, flate.BestSpeed)
	if err != nil {
		return appendFrame(out, opText, msg)
	}
	w.Write(msg)
	if w.Flush() != nil {
		return appendFrame(out, opText, msg)
	}
	b := bytes.TrimSuffix(zipped.Bytes(), deflateTail)
	return append(appendFrameHead(out, 0x80|0x40|opText, len(b)), b...)
}
