package validator

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/verify"
)

// alarm tells that a block is wrong, or undecided.
func (v *Validator) alarm(j *job, fault *verify.Fault) {
	path, err := v.keep(j, fault)
	if err != nil {
		v.log.Error("evidence could not be written", "err", err)
	}
	what := "a block is wrong"
	if fault.Kind.Undecided() {
		what = "a block could not be decided: its witness does not suffice"
	}
	v.log.Error(what, "block", j.number, "hash", j.hash, "kind", fault.Kind, "where", fault.Where, "want", fault.Want, "have", fault.Have, "evidence", path)
	v.noteFault(j.number, j.hash, fault, path)
}

// noteFault counts a fault, and stops the validator if it is to.
func (v *Validator) noteFault(number uint64, hash common.Hash, fault *verify.Fault, evidence string) {
	v.mu.Lock()
	s := &v.status
	if fault.Kind.Undecided() {
		s.Undecided++
	} else {
		s.Faults++
	}
	s.Alarms = append(s.Alarms, Alarm{Block: number, Hash: hash, Fault: fault, Evidence: evidence, At: time.Now().UTC()})
	if len(s.Alarms) > keptAlarms {
		s.Alarms = s.Alarms[1:]
	}
	v.mu.Unlock()
	if m := v.opts.Metrics; m != nil {
		m.Fault(string(fault.Kind), fault.Kind.Undecided())
	}
	if v.opts.StopOnFault && !fault.Kind.Undecided() {
		v.fail(fmt.Errorf("block %d %s: %w (evidence: %s)", number, hash, fault, evidence))
	}
}

// keptAlarms bounds the alarms in a status.
const keptAlarms = 16

// keep writes evidence.
func (v *Validator) keep(j *job, fault *verify.Fault) (string, error) {
	e, err := NewEvidence(&v.opts.Genesis.Config, j.in, j.minis, fault)
	if err != nil {
		return "", err
	}
	raw, err := e.Encode()
	if err != nil {
		return "", err
	}
	path := v.evidencePath(j.number, j.hash, fault)
	return path, da.WriteFile(path, raw)
}

func (v *Validator) evidencePath(number uint64, hash common.Hash, fault *verify.Fault) string {
	return filepath.Join(v.opts.Dir, "evidence", fmt.Sprintf("%d-%x-%s.json", number, hash[:4], fault.Kind))
}

// noteEvidence adds to an alarm that was noted where its evidence is.
func (v *Validator) noteEvidence(hash common.Hash, path string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range v.status.Alarms {
		if a := &v.status.Alarms[i]; a.Hash == hash && a.Evidence == "" {
			a.Evidence = path
		}
	}
}
