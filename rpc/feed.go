package rpc

import (
	"sync"

	"github.com/talaria-l2/talaria/chain"
)

// Event is one thing that was published; exactly one field is set.
type Event struct {
	MiniBlock *MiniBlock   // durable and answerable
	Sealed    *chain.Block // last mini-block of it was published before
	Witness   *Witness     // of a block that was published as Sealed before, if one was recorded
	Rewound   *Rewound     // the chain was taken back; what comes next replaces what was
}

// Feed hands published events to any number of readers without ever blocking the
// publisher. The zero value is ready. A node embeds one and lets Backend.Subscribe
// call it.
type Feed struct {
	mu      sync.Mutex
	readers map[*FeedReader]struct{}
}

// FeedReader is one bounded stream of events.
type FeedReader struct {
	feed *Feed
	ch   chan Event
}

// Subscribe starts a stream that holds at most buffer unread events.
func (f *Feed) Subscribe(buffer int) *FeedReader {
	r := &FeedReader{feed: f, ch: make(chan Event, buffer)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.readers == nil {
		f.readers = make(map[*FeedReader]struct{})
	}
	f.readers[r] = struct{}{}
	return r
}

// Publish gives ev to every reader. A reader whose buffer is full is cut off: its
// channel closes, so that it knows that it missed something.
func (f *Feed) Publish(ev Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.readers {
		select {
		case r.ch <- ev:
		default:
			delete(f.readers, r)
			close(r.ch)
		}
	}
}

// Events is the stream; it closes when the reader fell behind or was closed.
func (r *FeedReader) Events() <-chan Event { return r.ch }

// Close ends the stream.
func (r *FeedReader) Close() {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	if _, ok := r.feed.readers[r]; ok {
		delete(r.feed.readers, r)
		close(r.ch)
	}
}
