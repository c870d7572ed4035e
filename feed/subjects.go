package feed

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
)

// kind is one of the four streams.
type kind int

const (
	miniBlocks kind = iota
	blocks
	witnesses
	attestations
)

var kinds = [...]kind{miniBlocks, blocks, witnesses, attestations}

func (k kind) String() string {
	return [...]string{"miniblock", "block", "witness", "attestation"}[k]
}

// subjects are the names of a chain's feed (docs/spec/feed.md).
type subjects struct{ chainID uint64 }

// publish is where messages of a kind are published and stored.
func (s subjects) publish(k kind) string { return fmt.Sprintf("talaria.%d.%s", s.chainID, k) }

// live is where they are sent again once they are stored, with their sequence.
func (s subjects) live(k kind) string { return fmt.Sprintf("talaria.%d.live.%s", s.chainID, k) }

// get is where stored ones are asked for, within limits.
func (s subjects) get(k kind) string { return fmt.Sprintf("talaria.%d.get.%s", s.chainID, k) }

// stream is JetStream's name.
func (s subjects) stream(k kind) string {
	return fmt.Sprintf("TALARIA_%d_%s", s.chainID, strings.ToUpper(k.String()))
}

// direct is JetStream's own subject for stored messages, without limits.
func (s subjects) direct(k kind) string { return "$JS.API.DIRECT.GET." + s.stream(k) }

// Headers of messages.
const (
	headerID     = "Talaria-Id"     // of the whole that the message is, or is a part of
	headerNumber = "Talaria-Number" // of the mini-block or block
	headerPart   = "Talaria-Part"   // "2/3" is the second of three; absent: the whole

	headerSequence = "Nats-Sequence" // set by the server: position in the stream
	headerExpected = "Nats-Expected-Last-Sequence"
	headerMsgID    = "Nats-Msg-Id"
)

// inboxPrefix is where readers have their answers sent. A publisher has its own, which
// readers cannot listen to.
const (
	inboxPrefix     = "_INBOX"
	publisherPrefix = "_FEED"
)

// label is what the headers of a message say.
type label struct {
	id          string
	number      uint64
	part, parts int // 1/1: the whole
}

var errLabel = errors.New("message without the feed's headers")

func readLabel(h nats.Header) (l label, err error) {
	l.id, l.part, l.parts = h.Get(headerID), 1, 1
	if l.id == "" {
		return l, errLabel
	}
	if l.number, err = strconv.ParseUint(h.Get(headerNumber), 10, 64); err != nil {
		return l, fmt.Errorf("%w: number %q", errLabel, h.Get(headerNumber))
	}
	if s := h.Get(headerPart); s != "" {
		part, parts, _ := strings.Cut(s, "/")
		l.part, err = strconv.Atoi(part)
		if err == nil {
			l.parts, err = strconv.Atoi(parts)
		}
		if err != nil || l.part < 1 || l.part > l.parts || l.parts < 2 || l.parts > maxParts {
			return l, fmt.Errorf("%w: part %q", errLabel, s)
		}
	}
	return l, nil
}

func (l label) write(h nats.Header) {
	h.Set(headerID, l.id)
	h.Set(headerNumber, strconv.FormatUint(l.number, 10))
	if l.parts > 1 {
		h.Set(headerPart, fmt.Sprintf("%d/%d", l.part, l.parts))
	}
}

// sequence is the position of a message in its stream.
func sequence(m *nats.Msg) (uint64, error) {
	seq, err := strconv.ParseUint(m.Header.Get(headerSequence), 10, 64)
	if err != nil || seq == 0 {
		return 0, fmt.Errorf("message without a sequence: %q", m.Header.Get(headerSequence))
	}
	return seq, nil
}
