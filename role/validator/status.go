package validator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/verify"
)

// Status is how far a validator is.
type Status struct {
	ChainID    uint64      `json:"chainId"`
	From       uint64      `json:"from"`    // first block that this run checks
	Checked    uint64      `json:"checked"` // last block that was judged
	Hash       common.Hash `json:"hash"`    // of it
	CheckedAt  time.Time   `json:"checkedAt"`
	Newest     uint64      `json:"newest"`            // sealed block that the feed has shown
	WaitsFor   string      `json:"waitsFor"`          // what the next block lacks; empty: nothing
	Waiting    int         `json:"waitingBytes"`      // of blocks to be checked
	Workers    int         `json:"workers"`           // blocks checked at a time
	Blocks     uint64      `json:"blocks"`            // judged by this run
	Txs        uint64      `json:"transactions"`      // in right blocks
	Gas        uint64      `json:"gas"`               // in right blocks
	LastMillis float64     `json:"lastMillis"`        // checking the last block took
	Faults     uint64      `json:"faults"`            // wrong blocks
	Undecided  uint64      `json:"undecided"`         // blocks whose witness did not suffice
	Unsigned   uint64      `json:"unsigned"`          // blocks of deposits that no leader signed
	Tainted    uint64      `json:"tainted,omitempty"` // lowest block that is wrong or undecided: behind it nothing is attested
	Rewinds    int         `json:"rewinds"`           // times that the chain was taken back
	Posted     *Posted     `json:"l1,omitempty"`
	Opinion    *Opinion    `json:"secondOpinion,omitempty"`
	Attested   uint64      `json:"attested,omitempty"` // last block that was signed
	Alarms     []Alarm     `json:"alarms"`
}

// Alarm is a fault that was told.
type Alarm struct {
	Block    uint64        `json:"block"`
	Hash     common.Hash   `json:"hash"`
	Fault    *verify.Fault `json:"fault"`
	Evidence string        `json:"evidence"` // file
	At       time.Time     `json:"at"`
}

// Status is how far the validator is.
func (v *Validator) Status() Status {
	_, newest, bytes, rewinds, missing := v.assembler.where()
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.status
	s.Alarms = append([]Alarm{}, s.Alarms...)
	s.Newest, s.Waiting, s.Rewinds, s.WaitsFor = newest, bytes, rewinds, missing
	if v.posted != nil {
		p := v.posted.status()
		s.Posted = &p
	}
	if v.opinion != nil {
		s.Opinion = v.opinion.status()
	}
	if v.attestor != nil {
		s.Attested = v.attestor.last()
	}
	return s
}

// Handler serves the status as JSON under /status, and who signed a block under
// /attestations?block=NUMBER.
func (v *Validator) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answer(w, v.Status()) })
	mux.HandleFunc("GET /attestations", func(w http.ResponseWriter, r *http.Request) {
		number, err := strconv.ParseUint(r.URL.Query().Get("block"), 10, 64)
		if err != nil {
			http.Error(w, "block: a number", http.StatusBadRequest)
			return
		}
		answer(w, v.Attestations(number))
	})
	return mux
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // who asked is gone
}

// place is the last block that was checked, as the file has it.
type place struct {
	Number uint64      `json:"number"`
	Hash   common.Hash `json:"hash"`
}

// loadPlace reads the file; nil: there is none.
func loadPlace(path string) (*place, error) {
	p := new(place)
	found, err := readJSON(path, p)
	if err != nil || !found {
		return nil, err
	}
	return p, nil
}

func savePlace(path string, j *job) error {
	return writeJSON(path, &place{Number: j.number, Hash: j.hash})
}

// readJSON reads a file, and tells whether it is there.
func readJSON(path string, into any) (bool, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read what the validator knows: %w", err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, fmt.Errorf("read what the validator knows: %s: %w", path, err)
	}
	return true, nil
}

func writeJSON(path string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return da.WriteFile(path, append(raw, '\n'))
}
