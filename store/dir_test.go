package store

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestOpenDir(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(t *testing.T, path string) string // returns the path to open
		want error                                  // nil: opens
		says string
	}{
		{"absent is created", func(t *testing.T, p string) string { return filepath.Join(p, "x", "y") }, nil, ""},
		{"empty is taken", func(t *testing.T, p string) string { return p }, nil, ""},
		{"interrupted creation is finished", func(t *testing.T, p string) string {
			put(t, p, lockFile, "1\n")
			put(t, p, markerFile+tmpSuffix, "{")
			return p
		}, nil, ""},
		{"existing is opened", func(t *testing.T, p string) string {
			put(t, p, markerFile, `{"format":1,"chainId":5}`)
			put(t, p, "wal", "")
			return p
		}, nil, ""},
		{"foreign is refused", func(t *testing.T, p string) string { put(t, p, "photo.jpg", "x"); return p }, ErrForeign, `"photo.jpg"`},
		{"damaged marker is refused", func(t *testing.T, p string) string { put(t, p, markerFile, "{"); return p }, ErrForeign, markerFile},
		{"newer format is refused", func(t *testing.T, p string) string { put(t, p, markerFile, `{"format":2}`); return p }, ErrFormat, "newer"},
		{"file is refused", func(t *testing.T, p string) string { put(t, p, "f", "x"); return filepath.Join(p, "f") }, ErrUnusable, "not a directory"},
		{"unwritable is refused", func(t *testing.T, p string) string {
			if os.Getuid() == 0 {
				return "/proc/talaria" // not even root may write there
			}
			if err := os.Chmod(p, 0o555); err != nil {
				t.Fatal(err)
			}
			return p
		}, ErrUnusable, "may write"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := tc.make(t, t.TempDir())
			d, err := OpenDir(path)
			if tc.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				if d, err = OpenDir(path); err != nil {
					t.Fatal(err)
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), "hint: ") || strings.Contains(err.Error(), "\n") {
				t.Fatalf("got %v", err)
			}
			if _, err := os.Stat(filepath.Join(path, lockFile)); tc.want == ErrForeign && tc.says != markerFile && err == nil {
				t.Fatal("wrote into a foreign directory")
			}
		})
	}
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOpenDirTwiceNamesTheHolder(t *testing.T) {
	path := t.TempDir()
	d, err := OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenDir(path)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Fatalf("got %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDirBelongsToOneChain(t *testing.T) {
	path := t.TempDir()
	for range 2 {
		d, err := OpenDir(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.SetChainID(7); err != nil {
			t.Fatal(err)
		}
		if err := d.SetChainID(8); !errors.Is(err, ErrWrongChain) || d.ChainID() != 7 {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
