package rpc

import (
	"fmt"
	"time"
)

// maxGone is how many dropped filters are remembered: above, the oldest is forgotten, and
// is an unknown filter like any other.
const maxGone = 1024

// goneFilters remembers why filters were dropped, so that the next poll can be told. The
// zero value is ready.
type goneFilters struct {
	reasons map[string]*Error
	order   [maxGone]string // ids, the next to be forgotten at next
	next    int
}

func (g *goneFilters) add(id string, why *Error) {
	if g.reasons == nil {
		g.reasons = make(map[string]*Error)
	}
	delete(g.reasons, g.order[g.next])
	g.order[g.next] = id
	g.next = (g.next + 1) % maxGone
	g.reasons[id] = why
}

// forget reports whether the filter was remembered.
func (g *goneFilters) forget(id string) bool {
	_, ok := g.reasons[id]
	delete(g.reasons, id)
	return ok
}

// why is the error of a poll of a filter that there is not. It has the code and begins
// with the words by which standard clients know that they must install a new one.
func (g *goneFilters) why(id string) *Error {
	if e := g.reasons[id]; e != nil {
		return e
	}
	return &Error{Code: CodeServer, Message: noFilter}
}

const noFilter = "filter not found"

func gone(reason, format string, args ...any) *Error {
	return &Error{
		Code: CodeServer, Message: noFilter + ": " + fmt.Sprintf(format, args...),
		Data: map[string]string{"reason": reason},
	}
}

func goneItems(limit int) *Error {
	return gone("items", "it was dropped because more than %d items were unread, which is the limit of one filter: install it again and poll more often, select less, or subscribe", limit)
}

func goneBytes(limit int) *Error {
	return gone("bytes", "it was dropped because all filters together held more than %d bytes, which is the limit, and it held most: install it again and poll more often, select less, or subscribe", limit)
}

func goneRewound(block uint64) *Error {
	return gone("rewound", "the chain was taken back to block %d, and what the filter found later may be void: read logs behind that block again and install a new filter", block)
}

func goneExpired(after time.Duration) *Error {
	return gone("expired", "it was not polled for %s, which is the limit: install it again and poll more often", after)
}

func goneMissed() *Error {
	return gone("missed", "the node could not fill it, since it fell behind its own events: read what you need again and install a new filter")
}
