package rpc

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// Streamer is what streams need of the node to replay what was published.
type Streamer interface {
	// MiniBlocksFrom returns the published mini-block with the number and those that
	// follow it in its block, in order; nil when there is none with the number.
	MiniBlocksFrom(ctx context.Context, number uint64) ([]*MiniBlock, error)
	// MiniBlockDiff is the encoded diff, whose hash is in the header. Blocks that the node
	// no longer holds the diffs of are executed again.
	MiniBlockDiff(ctx context.Context, m *MiniBlock) ([]byte, error)
	// AccountChanges is what the mini-block changed in the state, ascending by address.
	// It is made of the diff.
	AccountChanges(ctx context.Context, m *MiniBlock) ([]AccountChange, error)
}

// AccountChange is what a mini-block changed in one account: the values after it.
type AccountChange struct {
	Address  common.Address
	Nonce    *uint64      // nil: unchanged
	Balance  *big.Int     // wei; nil: unchanged
	CodeHash *common.Hash // nil: unchanged
	Storage  []SlotChange // ascending by slot
}

// SlotChange is the new value of a storage slot.
type SlotChange struct{ Slot, Value common.Hash }

// position is where a stream stands: before item skip of mini-block next. Streams of
// heads count blocks instead, which are one item each.
type position struct {
	next, skip uint64
	last       common.Hash // of number next-1; without meaning if next is 0
	current    common.Hash // of number next, if skip is not 0
}

// holds reports whether something with that number, hash and parent continues the
// chain that the position was taken on.
func (p *position) holds(hash, parent common.Hash) bool {
	if p.skip > 0 {
		return hash == p.current
	}
	return p.next == 0 || parent == p.last
}

// cursorVersion begins every cursor.
const cursorVersion = "v1"

// wholeItem is the item of a cursor behind everything of its mini-block.
const wholeItem = math.MaxUint64

// cursor names the last event that a client has seen. See docs/spec/streams.md.
type cursor struct {
	letter byte // of the kind
	start  bool // nothing was seen
	number uint64
	item   uint64
	tag    uint64 // first bytes of the hash
}

func tagOf(hash common.Hash) uint64 { return binary.BigEndian.Uint64(hash[:]) }

// cursorAt is the cursor of the last event before the position.
func cursorAt(letter byte, p *position) cursor {
	switch {
	case p.skip > 0:
		return cursor{letter: letter, number: p.next, item: p.skip - 1, tag: tagOf(p.current)}
	case p.next > 0:
		return cursor{letter: letter, number: p.next - 1, item: wholeItem, tag: tagOf(p.last)}
	}
	return cursor{letter: letter, start: true}
}

func (c *cursor) append(b []byte) []byte {
	b = append(append(append(b, cursorVersion...), ':', c.letter), ':')
	if c.start {
		return append(b, "start"...)
	}
	b = append(strconv.AppendUint(b, c.number, 10), '.')
	if c.item == wholeItem {
		b = append(b, "end"...)
	} else {
		b = strconv.AppendUint(b, c.item, 10)
	}
	var tag [8]byte
	binary.BigEndian.PutUint64(tag[:], c.tag)
	return hex.AppendEncode(append(b, ':'), tag[:])
}

func (c cursor) String() string { return string(c.append(nil)) }

var errCursor = errors.New("malformed cursor: give one that an event of this kind carried")

// parseCursor reads a cursor of the kind with the letter.
func parseCursor(s string, letter byte) (cursor, error) {
	c := cursor{letter: letter}
	version, rest, ok := strings.Cut(s, ":")
	if !ok {
		return c, errCursor
	}
	if version != cursorVersion {
		return c, fmt.Errorf("cursor of version %q: this node reads %s", clip(version), cursorVersion)
	}
	kind, rest, ok := strings.Cut(rest, ":")
	if !ok || len(kind) != 1 {
		return c, errCursor
	}
	if kind[0] != letter {
		return c, fmt.Errorf("cursor is of another kind of subscription (%q, want %q)", kind, string(letter))
	}
	if rest == "start" {
		c.start = true
		return c, nil
	}
	place, tag, ok := strings.Cut(rest, ":")
	number, item, dot := strings.Cut(place, ".")
	if !ok || !dot || len(tag) != 16 {
		return c, errCursor
	}
	var errs [3]error
	c.number, errs[0] = strconv.ParseUint(number, 10, 64)
	c.item = wholeItem
	if item != "end" {
		c.item, errs[1] = strconv.ParseUint(item, 10, 32)
	}
	c.tag, errs[2] = strconv.ParseUint(tag, 16, 64)
	if errors.Join(errs[:]...) != nil || c.String() != s {
		return c, errCursor
	}
	return c, nil
}

// origin is where a client wants its subscription to begin: behind a cursor, at a
// block, or, if both are nil, now.
type origin struct {
	cursor    *string
	fromBlock *blockRef
	form      string // of transactions in mini-blocks: "full" or "hashes"; empty: not said
}

// decodeOrigin reads the options of eth_subscribe.
func decodeOrigin(raw []byte) (o origin, err error) {
	if raw[0] != '{' {
		return o, errors.New(`want an object: {"cursor": …} or {"fromBlock": …}`)
	}
	members(raw, func(key string, value []byte) {
		if err != nil || value[0] == 'n' {
			return
		}
		switch key {
		case "cursor":
			err = o.setCursor(value)
		case "fromBlock":
			o.fromBlock = new(blockRef)
			*o.fromBlock, err = decodeBlockNumber(value)
		case "transactions":
			if o.form = strings.Trim(string(value), `"`); o.form != "full" && o.form != "hashes" {
				err = errors.New(`option "transactions": want "full" or "hashes"`)
			}
		default:
			err = fmt.Errorf("option %q is not known: cursor and fromBlock are, and transactions of miniBlocks", clip(key))
		}
	})
	if err == nil && o.cursor != nil && o.fromBlock != nil {
		err = errors.New("give cursor or fromBlock, not both")
	}
	return o, err
}

func (o *origin) setCursor(raw []byte) error {
	s, err := decodeString(raw)
	if err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	o.cursor = &s
	return nil
}

// resolve finds the position of an origin, nil for the present head.
func (s *Server) resolve(ctx context.Context, kind topicKind, o origin) (*position, error) {
	switch {
	case kind == kindSyncing:
		return nil, nil // its first event is the present state
	case o.cursor != nil:
		c, err := parseCursor(*o.cursor, kind.letter())
		if err != nil {
			return nil, Errorf(CodeInvalidParams, "invalid cursor: %v", err)
		}
		return s.behind(ctx, kind, &c)
	case o.fromBlock != nil:
		return s.fromBlock(ctx, kind, *o.fromBlock)
	}
	return nil, nil
}

// behind is the position after a cursor, which must be of this chain.
func (s *Server) behind(ctx context.Context, kind topicKind, c *cursor) (*position, error) {
	if c.start {
		return new(position), nil
	}
	hash, parent, found, err := s.linkOf(ctx, kind, c.number)
	if err != nil {
		return nil, err
	}
	if !found || tagOf(hash) != c.tag {
		why := "the chain was taken back behind it: subscribe with fromBlock"
		if !found {
			why = "this node does not have its block yet, or the chain was taken back behind it: retry when the node has caught up, or subscribe with fromBlock"
		}
		return nil, &Error{Code: CodeServer, Message: "cursor " + c.String() + " is not of this node's chain: " + why,
			Data: map[string]string{"reason": "rewound", "cursor": c.String()}}
	}
	if c.item == wholeItem {
		return &position{next: c.number + 1, last: hash}, nil
	}
	return &position{next: c.number, skip: c.item + 1, last: parent, current: hash}, nil
}

// linkOf gives the hash and parent hash of a mini-block, or of a block for heads.
func (s *Server) linkOf(ctx context.Context, kind topicKind, number uint64) (hash, parent common.Hash, found bool, err error) {
	if kind == kindHeads {
		h, err := s.backend.HeaderByNumber(ctx, number)
		if h == nil || err != nil {
			return hash, parent, false, err
		}
		return h.Hash(), h.ParentHash, true, nil
	}
	m, err := s.backend.MiniBlockByNumber(ctx, number)
	if m == nil || err != nil {
		return hash, parent, false, err
	}
	return m.Hash, m.Header.ParentHash, true, nil
}

// fromBlock is the position before the first event of a block; nil, which is now, for
// latest and pending.
func (s *Server) fromBlock(ctx context.Context, kind topicKind, ref blockRef) (*position, error) {
	head := s.backend.Head()
	number, newest := ref.number, head.Number.Uint64()
	switch ref.tag {
	case tagNumber:
	case tagEarliest:
		number = 0
	case tagSafe, tagFinalized:
		safe, finalized := s.backend.Finality()
		if number = safe; ref.tag == tagFinalized {
			number = finalized
		}
	default:
		return nil, nil
	}
	if number > newest+1 {
		return nil, Errorf(CodeInvalidParams, "fromBlock %d has not begun: the newest sealed block is %d", number, newest)
	}
	if number == 0 {
		return new(position), nil
	}
	if kind == kindHeads {
		parent, err := s.backend.HeaderByNumber(ctx, number-1)
		if parent == nil || err != nil {
			return nil, err
		}
		return &position{next: number, last: parent.Hash()}, nil
	}
	return s.lastMini(ctx, number-1)
}
