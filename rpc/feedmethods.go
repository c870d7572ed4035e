package rpc

import "context"

// FeedHolder is the part of Backend from which other nodes get what the feed no longer
// holds, in the feed's encodings (docs/spec/feed.md).
type FeedHolder interface {
	// MiniBlockEncodings are published mini-blocks from a number on: at most count, and,
	// but for the first, at most size bytes. None if the number is not published.
	MiniBlockEncodings(ctx context.Context, from uint64, count, size int) ([][]byte, error)
	// BlockEncodings are sealed blocks from a number on, on the same terms.
	BlockEncodings(ctx context.Context, from uint64, count, size int) ([][]byte, error)
}

// feedMethods serve nodes that follow.
func (s *Server) feedMethods(t methodTable) {
	t.slow("talaria_feedMiniBlocks", 2, s.encodings(s.backend.MiniBlockEncodings)).doc("Published mini-blocks from a number on as the feed holds them, with diffs: at most as many as the second parameter says (256, at most 1024), and fewer if they are large; empty behind the newest", "role/node.TestNodesCatchUpByRPC")
	t.slow("talaria_feedBlocks", 2, s.encodings(s.backend.BlockEncodings)).doc("Sealed blocks from a number on as the feed holds them: header and number of the last mini-block; bounded as `talaria_feedMiniBlocks`", "role/node.TestNodesCatchUpByRPC")
}

const (
	defaultFeedItems, maxFeedItems = 256, 1024
	maxFeedBytes                   = 16 << 20
)

func (s *Server) encodings(list func(ctx context.Context, from uint64, count, size int) ([][]byte, error)) reader {
	return func(c *call, a *args) (rawJSON, error) {
		from, count := a.index(0), readOr(a, 1, defaultFeedItems, decodeCount)
		if a.err != nil {
			return nil, a.err
		}
		items, err := list(c.ctx, from, int(min(max(count, 1), maxFeedItems)), min(maxFeedBytes, s.opts.MaxResponseBytes/2-1024))
		if err != nil {
			return nil, err
		}
		size := 2
		for _, item := range items {
			size += 2*len(item) + 5
		}
		if size > s.opts.MaxResponseBytes {
			return nil, s.tooLarge()
		}
		w := newWriter(size)
		w.open('[')
		for _, item := range items {
			w.hex(item)
		}
		w.shut(']')
		return w.b, nil
	}
}
