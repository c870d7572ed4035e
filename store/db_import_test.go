package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/snapshot"
	"github.com/talaria-l2/talaria/state"
)

// Killed while a half loaded snapshot is removed, nothing of it is in the database.
func TestAnImportIsRemovedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	half := func() {
		t.Helper()
		db, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		a := snapshot.Account{Address: common.Address{1}, Account: state.EmptyAccount}
		a.Nonce = 7
		err = errors.Join(db.BeginImport([]byte("record")), db.ImportPiece(0, &snapshot.Content{Accounts: []snapshot.Account{a}}, 100), db.Close())
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, remove := range map[string]func() error{
		"whole":                             func() error { return RemoveImport(path) },
		"killed before anything is deleted": func() error { return setAside(path) },
		"killed while files are deleted": func() error {
			if err := setAside(path); err != nil {
				return err
			}
			files, err := filepath.Glob(filepath.Join(path+removedSuffix, "*.log"))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			return os.Remove(files[0])
		},
	} {
		half()
		if err := remove(); err != nil {
			t.Fatal(name, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the database is there: %v", name, err)
		}
		db, err := Open(path, Options{})
		if err != nil {
			t.Fatal(name, err)
		}
		_, _, importing := db.Import()
		if _, err := db.get(accountKey(common.Address{1})); !errors.Is(err, ErrNotFound) || !errors.Is(importing, ErrNotFound) {
			t.Errorf("%s: something is left: %v, %v", name, err, importing)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		left, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(left) != 1 {
			t.Errorf("%s: %v is left (%v)", name, left, err)
		}
	}
}
