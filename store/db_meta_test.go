package store

import (
	"errors"
	"testing"
)

func TestMetaIsFoundAndDroppedFromANameOn(t *testing.T) {
	db := openDB(t, t.TempDir())
	defer closeDB(t, db)
	for _, name := range []string{"a/1", "b/1", "b/3", "b/5", "c/1"} {
		if err := db.PutMeta(name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	is := func(from, want string) {
		t.Helper()
		got, err := db.MetaFrom("b/", from)
		if string(got) != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, ErrNotFound) {
			t.Errorf("from %q: %q %v, want %q", from, got, err, want)
		}
	}
	is("", "b/1")
	is("1", "b/1")
	is("2", "b/3")
	is("6", "")
	if err := db.DropMetaFrom("b/", "3"); err != nil {
		t.Fatal(err)
	}
	is("", "b/1")
	is("2", "")
	for _, name := range []string{"a/1", "c/1"} {
		if got, err := db.Meta(name); string(got) != name {
			t.Errorf("%s was dropped, too: %v", name, err)
		}
	}
}
