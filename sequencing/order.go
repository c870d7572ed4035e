package sequencing

import "container/heap"

// ages lists what is held by age, which is also by deadline.
type ages struct{ oldest, newest *held }

func (l *ages) push(h *held) {
	h.older, h.newer = l.newest, nil
	if l.newest == nil {
		l.oldest = h
	} else {
		l.newest.newer = h
	}
	l.newest = h
}

func (l *ages) remove(h *held) {
	if h.older == nil {
		l.oldest = h.newer
	} else {
		h.older.newer = h.newer
	}
	if h.newer == nil {
		l.newest = h.older
	} else {
		h.newer.older = h.older
	}
	h.older, h.newer = nil, nil
}

// tails is a heap of accounts by the tip of their last transaction: the lowest first,
// and of equal ones the one that came last.
type tails []*account

// set puts the account where it belongs.
func (t *tails) set(a *account) {
	if a.index < 0 {
		heap.Push(t, a)
		return
	}
	heap.Fix(t, a.index)
}

// remove takes the account out, if it is there.
func (t *tails) remove(a *account) {
	if a.index >= 0 {
		heap.Remove(t, a.index)
	}
}

// Len implements heap.Interface.
func (t tails) Len() int { return len(t) }

// Less implements heap.Interface.
func (t tails) Less(i, j int) bool {
	a, b := t[i].tail(), t[j].tail()
	_, tipA, _ := a.tx.Fees()
	_, tipB, _ := b.tx.Fees()
	if c := tipA.Cmp(tipB); c != 0 {
		return c < 0
	}
	return a.seq > b.seq
}

// Swap implements heap.Interface.
func (t tails) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}

// Push implements heap.Interface.
func (t *tails) Push(x any) {
	a := x.(*account)
	a.index = len(*t)
	*t = append(*t, a)
}

// Pop implements heap.Interface.
func (t *tails) Pop() any {
	last := len(*t) - 1
	a := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	a.index = -1
	return a
}
