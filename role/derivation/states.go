package derivation

import (
	"fmt"

	"github.com/talaria-l2/talaria/derive"
)

// Disk keeps states: *node.DerivationStates is one. What it is told survives as a
// beginning of what it was told, in order with the blocks that were executed meanwhile.
type Disk interface {
	Load() ([]derive.State, error) // ascending, never empty
	Put(derive.State) error
	Drop(derive.State) error
	Undecide(derive.State) error // no L1 block decides what is above the state
	Sync() error                 // makes what it was told durable
}

// States are the points from which derivation can go on, ascending by the L1 blocks that
// decide them, also after a restart. The first is genesis or the newest that is final on
// L1: derivation never goes back behind it. Its methods are not safe for concurrent use.
type States struct {
	disk Disk
	list []derive.State
}

// maxStates is how many states are kept. Beyond it, which takes an L1 that finalises
// nothing for long, or the first reading of all of it, those further back are kept ever
// more sparsely.
const maxStates = 256

// LoadStates reads what the disk has.
func LoadStates(disk Disk) (*States, error) {
	list, err := disk.Load()
	if err != nil {
		return nil, fmt.Errorf("read derivation states: %w", err)
	}
	return &States{disk, list}, nil
}

// Newest is the state to go on from.
func (s *States) Newest() derive.State { return s.list[len(s.list)-1] }

// Oldest is the state behind which nothing goes back: genesis, or final on L1.
func (s *States) Oldest() derive.State { return s.list[0] }

// Add keeps a newer state, whose block the node has executed.
func (s *States) Add(state derive.State) error {
	if len(s.list) == 1 { // genesis need not be there yet
		if err := s.disk.Put(s.list[0]); err != nil {
			return err
		}
	}
	if err := s.disk.Put(state); err != nil {
		return err
	}
	s.list = append(s.list, state)
	if len(s.list) <= maxStates {
		return nil
	}
	kept := s.list[:0:0]
	for i, old := range s.list {
		if i < maxStates/2 && i%2 == 1 {
			if err := s.disk.Drop(old); err != nil {
				return err
			}
			continue
		}
		kept = append(kept, old)
	}
	s.list = kept
	return nil
}

// Final says that the L1 block with the number, and the states that it and those before
// it decide, are final. What is older than the newest of these is forgotten.
func (s *States) Final(l1 uint64) error {
	for len(s.list) > 1 && s.list[1].PostedIn.Number <= l1 {
		if err := s.disk.Drop(s.list[0]); err != nil {
			return err
		}
		s.list = s.list[1:]
	}
	return nil
}

// BackTo forgets what is newer than a kept state. It is durable before anything is undone
// for it: whoever starts after a crash goes back to the same state.
func (s *States) BackTo(state derive.State) error {
	for s.Newest().PostedIn != state.PostedIn {
		if err := s.disk.Drop(s.Newest()); err != nil {
			return err
		}
		s.list = s.list[:len(s.list)-1]
	}
	if err := s.disk.Undecide(state); err != nil {
		return err
	}
	return s.disk.Sync()
}
