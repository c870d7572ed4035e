package state

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// What the journal hands out by LogsInto is as it was until the buffer is used again,
// whatever later transactions log.
func TestJournalLogsStayUntilTheirBufferIsUsedAgain(t *testing.T) {
	j := NewJournal(newJournalModel())
	rng := rand.New(rand.NewPCG(1, 1))
	var buffers [3]DiffBuffer
	var got [3][]*types.Log
	var want [3][]types.Log
	for n := range 2000 {
		at := rng.IntN(3)
		j.Reset(newJournalModel())
		want[at] = nil
		for i := range rng.IntN(5) {
			l := types.Log{Address: common.Address{byte(n)}, Topics: make([]common.Hash, i%5), Data: make([]byte, rng.IntN(100))}
			want[at] = append(want[at], l)
			snapshot := j.Snapshot()
			j.AppendLog(l.Address, l.Topics, []byte("another, which is taken back"))
			j.Revert(snapshot)
			j.AppendLog(l.Address, l.Topics, l.Data)
		}
		if rng.IntN(4) == 0 { // not handed out
			want[at] = nil
			buffers[at], got[at] = DiffBuffer{}, nil
			if rng.IntN(2) == 0 {
				j.Logs()
			}
			continue
		}
		got[at] = j.LogsInto(&buffers[at])
		for i := range got {
			for k, l := range got[i] {
				// Memory that was used before holds empty where new memory holds nil.
				if w := want[i][k]; l.Address != w.Address || !slices.Equal(l.Topics, w.Topics) || !bytes.Equal(l.Data, w.Data) {
					t.Fatalf("log %d of buffer %d is %+v, want %+v", k, i, l, w)
				}
			}
			if len(got[i]) != len(want[i]) {
				t.Fatalf("%d logs in buffer %d, want %d", len(got[i]), i, len(want[i]))
			}
		}
	}
}

func TestJournalLogsOutliveReset(t *testing.T) {
	j := NewJournal(newJournalModel())
	j.AddLog(&types.Log{Index: 1})
	logs := j.Logs()
	j.Reset(newJournalModel())
	j.AddLog(&types.Log{Index: 2})
	if len(logs) != 1 || logs[0].Index != 1 {
		t.Fatalf("logs %v", logs)
	}
}

func TestJournalLeavesLogsThatSomebodyHolds(t *testing.T) {
	j := NewJournal(newJournalModel())
	var buf DiffBuffer
	for _, after := range []func(){
		func() { j.Revert(0) },
		func() { j.Reset(newJournalModel()) },
		func() {
			for range 2 { // to the buffer, and back to the journal
				j.LogsInto(&buf)
				j.Reset(newJournalModel())
			}
		},
	} {
		j.Reset(newJournalModel())
		j.AppendLog(common.Address{1}, []common.Hash{{1}}, []byte{1})
		held := j.Logs()[0]
		after()
		j.AppendLog(common.Address{2}, []common.Hash{{2}}, []byte{2})
		compareLogs(t, []*types.Log{held}, []types.Log{{Address: common.Address{1}, Topics: []common.Hash{{1}}, Data: []byte{1}}})
	}
}

func TestJournalKeepsNoLargeLogs(t *testing.T) {
	j := NewJournal(newJournalModel())
	var buf DiffBuffer
	for _, after := range []func(){
		func() { j.Revert(0) },
		func() { j.Reset(newJournalModel()) },
		func() {
			for range 2 {
				j.LogsInto(&buf)
				j.Reset(newJournalModel())
			}
		},
	} {
		j.AppendLog(common.Address{1}, nil, make([]byte, keepLogBytes+1))
		after()
		if l := j.AppendLog(common.Address{1}, nil, nil); cap(l.Data) > keepLogBytes {
			t.Errorf("%d bytes are kept", cap(l.Data))
		}
		j.Reset(newJournalModel())
	}
}
