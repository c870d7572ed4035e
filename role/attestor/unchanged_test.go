package attestor

import (
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

func TestABlockWithoutNewWithdrawalsIsNotSigned(t *testing.T) {
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "attested.json")
	synctest.Test(t, func(t *testing.T) {
		w := new(world)
		w.seal(1, 0) // genesis
		start := func() *Attestor {
			a, err := Start(Options{Chain: w, Key: key, L1ChainID: 7410, L2ChainID: 7411, Checkpoints: common.Address{5}, File: file})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // it listens
			return a
		}
		a := start()
		defer func() { a.Close() }()
		var signed *types.Header
		for _, step := range []struct {
			root    byte
			signs   bool
			restart bool
		}{{1, false, false}, {2, true, false}, {2, false, false}, {2, false, false}, {3, true, false}, {3, false, true}, {2, true, false}} {
			if step.restart {
				a.Close()
				a = start()
			}
			h := w.seal(step.root, 0)
			synctest.Wait()
			if step.signs {
				signed = h
			}
			at, err := a.Newest(t.Context(), 0)
			switch {
			case err != nil:
				t.Fatal(err)
			case signed == nil && at != nil:
				t.Fatalf("block %d is signed, there are no withdrawals", at.Number)
			case signed != nil && (at == nil || at.Hash != signed.Hash()):
				t.Fatalf("after block %v: signed is %+v, want block %v", h.Number, at, signed.Number)
			}
		}
	})
}
