package verify_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/talaria-l2/talaria/internal/fixtures"
	"github.com/talaria-l2/talaria/verify"
	"github.com/talaria-l2/talaria/verify/opinion"
)

// withStorageAlone are cases of accounts that have storage and neither nonce nor code, where
// go-ethereum lets contracts be made (EIP-7610 forbids it).
var withStorageAlone = []string{"eip7610_create_collision", "create2collisionStorageParis", "dynamicAccountOverwriteEmpty_Paris"}

// Of the files of public state tests every so many are taken.
const (
	eestStep      = 40
	eestShortStep = 600
)

// Each public state test of Osaka, its transaction in a block of the chain: it is checked by
// the witness that the chain records, and by go-ethereum.
func TestEESTBlocksAreRight(t *testing.T) {
	path := fixtures.Path("..", fixtures.StateTestArchive)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("test cases not found: %v; set TALARIA_FIXTURES to the directory of %s", err, fixtures.StateTestArchive)
	}
	step := eestStep
	if testing.Short() {
		step = eestShortStep
	}
	files, ran, refused, delegations := 0, 0, 0, 0
	_, err := fixtures.StateTests(path, func(_ string, tests map[string]*fixtures.StateTest) error {
		if files++; files%step != 0 {
			return nil
		}
		for id, c := range tests {
			for i := range c.Post["Osaka"] {
				cfg, in, delegates := verify.EESTBlock(t, c, &c.Post["Osaka"][i])
				if in == nil {
					refused++
					continue
				}
				if ran++; delegates {
					delegations++
				}
				if _, err := verify.Block(cfg, in); err != nil {
					t.Errorf("%s %d: %v", id, i, err)
				}
				if slices.ContainsFunc(withStorageAlone, func(name string) bool { return strings.Contains(id, name) }) {
					continue
				}
				if err := opinion.Check(cfg, in); err != nil {
					t.Errorf("%s %d: %v", id, i, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d blocks, of which %d with delegations (EIP-7702); %d transactions are not valid in a block here", ran, delegations, refused)
	if ran == 0 || delegations == 0 && !testing.Short() {
		t.Error("nothing was tested, or nothing of EIP-7702")
	}
}
