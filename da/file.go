package da

import (
	"errors"
	"os"
	"path/filepath"
)

// PartPattern matches the files that a crash in WriteFile leaves behind.
const PartPattern = "*.part"

// WriteFile writes a file that is there whole or not at all, and is there after a crash
// once WriteFile has returned. Directories that are missing are made.
func WriteFile(path string, raw []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, PartPattern)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	// The directory may be new: its own entry is synced too.
	return errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
