package state

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// Bounds of the memory for logs that is kept from one transaction to the next.
const (
	keepLogs     = 256
	keepLogBytes = 4096 // of each
)

// AddLog appends a log and takes ownership of it.
func (j *Journal) AddLog(l *types.Log) {
	j.undos = append(j.undos, undo{kind: undoLog})
	j.logs = append(j.logs, l)
}

// AppendLog appends a log of addr with copies of topics and data. The caller may set
// the other fields of the log that it returns.
func (j *Journal) AppendLog(addr common.Address, topics []common.Hash, data []byte) *types.Log {
	j.undos = append(j.undos, undo{kind: undoLog})
	j.logs = extended(j.logs)
	at := &j.logs[len(j.logs)-1]
	if *at == nil || j.logsLent {
		*at = j.newLog()
	}
	l := *at
	*l = types.Log{Address: addr, Topics: append(l.Topics[:0], topics...), Data: append(l.Data[:0], data...)}
	return l
}

// logCell is a log with room for what most logs carry; cells are made some at a time.
type logCell struct {
	log    types.Log
	topics [4]common.Hash
	data   [64]byte
}

const logCells = 32

func (j *Journal) newLog() *types.Log {
	if len(j.cells) == 0 {
		j.cells = make([]logCell, logCells)
	}
	c := &j.cells[0]
	j.cells = j.cells[1:]
	c.log.Topics, c.log.Data = c.topics[:0], c.data[:0]
	return &c.log
}

// Logs are the logs in order. They stay valid after Reset.
func (j *Journal) Logs() []*types.Log {
	j.logsLent = true
	return j.logs
}

// LogsInto are the logs in order. They are good until buf is used again. The journal
// does not have them any longer, and must be Reset next.
func (j *Journal) LogsInto(buf *DiffBuffer) []*types.Log {
	logs := j.logs
	j.logs = reusable(buf.logs)
	buf.logs = logs
	if j.logsLent {
		buf.logs, j.logsLent = nil, false
	}
	return logs
}

// resetLogs forgets the logs and keeps their memory unless somebody holds them.
func (j *Journal) resetLogs() {
	if j.logsLent {
		j.logs, j.logsLent = nil, false
	}
	j.logs = reusable(j.logs)
}

// popLog takes the last log back.
func (j *Journal) popLog() {
	last := len(j.logs) - 1
	if !j.logsLent {
		reusable(j.logs[last:])
	}
	j.logs = j.logs[:last]
}

// reusable empties logs. Beyond the end lies the memory of logs to use again, within
// bounds.
func reusable(logs []*types.Log) []*types.Log {
	if cap(logs) > 2*keepLogs {
		return nil
	}
	for i, l := range logs {
		if cap(l.Data) > keepLogBytes {
			logs[i] = nil
		}
	}
	return logs[:0]
}
