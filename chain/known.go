package chain

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/secp256k1"
)

// knownKeys remembers public keys by their addresses: 65,536 at most, in 6 MB. An
// address has four places; a new one takes the next of them in turn. Who makes addresses
// to fill places makes others' transactions cost what they cost without hints.
type knownKeys struct {
	slots []knownKey
	turn  int
	batch uint32
}

// knownKey is a place. It also says where the key is in the list of a batch.
type knownKey struct {
	key     [64]byte
	address common.Address
	batch   uint32
	at      int32
}

const (
	knownWays = 4
	knownSets = 1 << 14
)

// set are the places that an address may have.
func (k *knownKeys) set(a *common.Address) []knownKey {
	at := int(binary.LittleEndian.Uint16(a[:])) % knownSets * knownWays
	return k.slots[at : at+knownWays : at+knownWays]
}

// find returns the place of an address, or nil. No key has the address zero.
func (k *knownKeys) find(a *common.Address) *knownKey {
	if k.slots == nil || *a == (common.Address{}) {
		return nil
	}
	set := k.set(a)
	for i := range set {
		if set[i].address == *a {
			return &set[i]
		}
	}
	return nil
}

// add remembers whose key it is. The address must be the key's.
func (k *knownKeys) add(r *secp256k1.Recovered) {
	if k.slots == nil {
		k.slots = make([]knownKey, knownSets*knownWays)
	}
	if k.find(&r.Address) == nil {
		k.set(&r.Address)[k.turn%knownWays] = knownKey{key: r.PublicKey, address: r.Address}
		k.turn++
	}
}

// trust decides whether hints are used. After a batch whose hints were wrong some are
// decoded without, more each time, so that wrong hints cost a few percent at most.
type trust struct {
	skip, next, right int
}

const (
	leastSkipped = 16
	mostSkipped  = 1024
	rightBefore  = 16 // batches with right hints before less is skipped
)

// given tells whether to use the hints of a batch.
func (t *trust) given() bool {
	if t.skip > 0 {
		t.skip--
		return false
	}
	return true
}

// learn takes in whether the hints of a batch were right.
func (t *trust) learn(right bool) {
	t.next = max(t.next, leastSkipped)
	if !right {
		t.skip, t.right = t.next, 0
		t.next = min(2*t.next, mostSkipped)
		return
	}
	if t.right++; t.right == rightBefore {
		t.next, t.right = max(t.next/2, leastSkipped), 0
	}
}

// hinted are signatures whose hints name known keys, to be verified together, and the
// other signatures of the batch.
type hinted struct {
	known    knownKeys
	trust    trust
	verifier *secp256k1.Verifier

	sigs, rest       []secp256k1.Signature
	of               []int32 // index in keys of each of sigs
	keys             [][64]byte
	addresses        []common.Address // of keys
	whose, whoseRest []int            // indices in the batch
	recovered        []secp256k1.Recovered
}

// recover does what secp256k1.Recover does. senders[which[k]] is the hint for sigs[k].
func (h *hinted) recover(sigs []secp256k1.Signature, which []int, senders []common.Address, out []secp256k1.Recovered) {
	h.divide(sigs, which, senders)
	if secp256k1.Pays(len(h.sigs), len(h.keys)) && h.trust.given() && h.verify(out) {
		h.recovered = h.recovered[:0]
		for range h.rest {
			h.recovered = append(h.recovered, secp256k1.Recovered{})
		}
		secp256k1.Recover(h.rest, h.recovered)
		for i, k := range h.whoseRest {
			out[k] = h.recovered[i]
		}
	} else {
		secp256k1.Recover(sigs, out)
	}
	for _, k := range h.whoseRest {
		if out[k].OK && senders[which[k]] == out[k].Address {
			h.known.add(&out[k])
		}
	}
}

// verify sets the results of the signatures whose keys are known, if the keys are right.
func (h *hinted) verify(out []secp256k1.Recovered) bool {
	if h.verifier == nil {
		h.verifier = secp256k1.NewVerifier()
	}
	right := h.verifier.Verify(h.sigs, h.keys, h.of)
	h.trust.learn(right)
	if right {
		for i, k := range h.whose {
			at := h.of[i]
			out[k] = secp256k1.Recovered{Address: h.addresses[at], PublicKey: h.keys[at], OK: true}
		}
	}
	return right
}

// divide makes the two lists of signatures.
func (h *hinted) divide(sigs []secp256k1.Signature, which []int, senders []common.Address) {
	h.sigs, h.rest, h.of, h.keys = h.sigs[:0], h.rest[:0], h.of[:0], h.keys[:0]
	h.addresses, h.whose, h.whoseRest = h.addresses[:0], h.whose[:0], h.whoseRest[:0]
	h.known.nextBatch()
	for k := range sigs {
		p := h.known.find(&senders[which[k]])
		if p == nil {
			h.rest, h.whoseRest = append(h.rest, sigs[k]), append(h.whoseRest, k)
			continue
		}
		if p.batch != h.known.batch {
			p.batch, p.at = h.known.batch, int32(len(h.keys))
			h.keys, h.addresses = append(h.keys, p.key), append(h.addresses, p.address)
		}
		h.sigs, h.of, h.whose = append(h.sigs, sigs[k]), append(h.of, p.at), append(h.whose, k)
	}
}

// nextBatch begins a list of keys.
func (k *knownKeys) nextBatch() {
	if k.batch++; k.batch == 0 { // the numbers start again
		for i := range k.slots {
			k.slots[i].batch = 0
		}
		k.batch = 1
	}
}
