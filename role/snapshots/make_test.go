package snapshots

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/state"
)

// writing is a writer of pieces on a disk that has as much free as free says.
func writing(t *testing.T, ctx context.Context, free func() (uint64, error)) (*pieceWriter, string) {
	t.Helper()
	dir := t.TempDir()
	w, err := newPieceWriter(&Server{ctx: ctx, log: slog.New(slog.DiscardHandler), making: new(progress), free: free, opts: Options{KeepFree: 1000, PieceBytes: 1000}}, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	return w, dir
}

// load gives the writer accounts as the store does, until it says stop.
func load(t *testing.T, w *pieceWriter) (taken int) {
	t.Helper()
	a := state.EmptyAccount
	for a.Nonce = 1; a.Nonce < 100_000; a.Nonce++ {
		w.builder.LoadAccount(common.Address(binary.BigEndian.AppendUint64(make([]byte, 12), a.Nonce)), a)
		if taken++; w.builder.Err() != nil {
			return taken
		}
	}
	t.Fatal("it never stopped")
	return 0
}

func TestNothingIsWrittenIntoWhatIsKeptFree(t *testing.T) {
	left := uint64(3000)
	w, dir := writing(t, t.Context(), func() (uint64, error) { left -= 200; return left, nil })
	load(t, w)
	if err := w.builder.FinishState(); !errors.Is(err, errNoRoom) {
		t.Errorf("the error is %v", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 || left < 1000-200 {
		t.Errorf("%d pieces (%v), %d bytes left", len(files), err, left)
	}
}

func TestMakingStopsWithTheServer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w, _ := writing(t, ctx, func() (uint64, error) { return 1 << 40, nil })
	cancel()
	if n := load(t, w); n > 100 {
		t.Errorf("%d accounts were taken after the end", n)
	}
	if err := w.builder.FinishState(); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}
