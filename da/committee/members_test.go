package committee

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/bls"
)

func TestCommitteesAreReadFromFilesAndSnapshots(t *testing.T) {
	c := &Committee{Epoch: 5, Operators: []Operator{
		{Key: testKey(t, 1).Public(), Weight: 10, URL: "http://a"}, {Key: testKey(t, 2).Public(), Weight: 1 << 40, URL: "http://b"},
	}}
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back Committee
	if err := json.Unmarshal(raw, &back); err != nil || back.Epoch != 5 || len(back.Operators) != 2 || !back.Operators[1].Key.Equal(c.Operators[1].Key) {
		t.Fatalf("%+v, %v", back, err)
	}
	for name, bad := range map[string]string{
		"no operators":  `{"epoch":1,"operators":[]}`,
		"one key twice": strings.Replace(string(raw), keyHex(c.Operators[1].Key), keyHex(c.Operators[0].Key), 1),
		"no weight":     strings.Replace(string(raw), `"weight":10,`, ``, 1),
		"no key":        `{"operators":[{"publicKey":"0x00","weight":1}]}`,
	} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}

	snapshot := []byte{0}
	for _, o := range c.Operators {
		key := o.Key.Bytes()
		snapshot = append(append(snapshot, 0, 0, byte(o.Weight>>40), 0, 0, 0, 0, byte(o.Weight)), key[:]...)
	}
	got, err := ParseSnapshot(5, c.Domain, snapshot, []string{"http://a", "http://b"})
	if err != nil || got.Operators[0].Weight != 10 || got.Operators[1].Weight != 1<<40 || got.Find(c.Operators[1].Key) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, f := range map[string]func() ([]byte, []string){
		"truncated":        func() ([]byte, []string) { return snapshot[:200], []string{"a", "b"} },
		"a URL too few":    func() ([]byte, []string) { return snapshot, []string{"a"} },
		"nobody":           func() ([]byte, []string) { return []byte{0}, nil },
		"another contract": func() ([]byte, []string) { return append([]byte{0x60}, snapshot[1:]...), []string{"a", "b"} },
	} {
		raw, urls := f()
		if _, err := ParseSnapshot(5, c.Domain, raw, urls); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func keyHex(k *bls.PublicKey) string {
	b := k.Bytes()
	return hexutil.Encode(b[:])
}

func TestThresholdsAreExact(t *testing.T) {
	c := &Committee{Operators: []Operator{{Weight: 2}, {Weight: 1}}}
	for _, test := range []struct {
		weight    uint64
		threshold uint16
		want      bool
	}{{2, 6_666, true}, {2, 6_667, false}, {3, 10_000, true}, {2, 10_000, false}, {0, 1, false}} {
		if got := c.Reached(test.weight, test.threshold); got != test.want {
			t.Errorf("%d of 3 reaches %d: %v", test.weight, test.threshold, got)
		}
	}
}
