package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/batch"
)

// set is what the file holds: a list of these.
type set struct {
	Name   string
	Blocks []block
}

// block is what another codec needs of a block.
type block struct {
	Number, Timestamp uint64
	OriginNumber      uint64
	OriginHash        [32]byte
	Txs               [][]byte
}

func main() {
	blocks := flag.Int("blocks", 24, "blocks of each workload")
	txs := flag.Int("txs", 500, "transactions of a block")
	accounts := flag.Int("accounts", 1_000, "accounts that send")
	spread := flag.Bool("spread", true, "nonces begin anywhere up to 3,000 instead of at 0")
	out := flag.String("out", "", "file for the blocks")
	flag.Parse()
	if err := run(*blocks, *txs, *accounts, *spread, *out); err != nil {
		fmt.Fprintln(os.Stderr, "batches:", err)
		os.Exit(1)
	}
}

func run(blocks, txs, accounts int, spread bool, path string) error {
	var sets []set
	fmt.Printf("%-42s %10s %10s %10s %12s %12s\n", "", "raw", "channel", "blob space", "encoding", "decoding")
	fmt.Printf("%-42s %10s %10s %10s %12s %12s\n", "", "B/tx", "B/tx", "B/tx", "tx/s", "tx/s")
	for _, l := range workloads {
		w, err := newWorld(accounts, spread)
		if err != nil {
			return err
		}
		list, err := w.blocks(l, blocks, txs)
		if err != nil {
			return err
		}
		if err := measure(l.name, list); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		s := set{Name: l.name}
		for i := range list {
			b := &list[i]
			s.Blocks = append(s.Blocks, block{b.Number, b.Timestamp, b.Origin.Number, b.Origin.Hash, b.Txs})
		}
		sets = append(sets, s)
	}
	if path == "" {
		return nil
	}
	data, err := rlp.EncodeToBytes(sets)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// measure encodes the blocks as one channel, decodes and compares it, and prints a row.
func measure(name string, blocks []batch.Block) error {
	var ch *batch.Channel
	encoding, err := fastest(func() (err error) {
		ch, err = encode(blocks)
		return err
	})
	if err != nil {
		return err
	}
	var got []batch.Block
	decoding, err := fastest(func() (err error) {
		_, got, err = batch.DecodeChannel(ch.Data, 0)
		return err
	})
	if err != nil {
		return err
	}
	txs := 0
	for i := range blocks {
		if len(got[i].Txs) != len(blocks[i].Txs) {
			return fmt.Errorf("block %d has %d transactions, decoded %d", i, len(blocks[i].Txs), len(got[i].Txs))
		}
		for j, tx := range blocks[i].Txs {
			if string(tx) != string(got[i].Txs[j]) {
				return fmt.Errorf("block %d, transaction %d: decoded differently", i, j)
			}
		}
		txs += len(blocks[i].Txs)
	}
	frames, err := ch.Frames(0)
	if err != nil {
		return err
	}
	payload := 0
	for _, f := range frames {
		payload += len(f.Data) + batch.FrameOverhead
	}
	n := float64(txs)
	space := float64(payload) / float64(batch.MaxBlobPayload) * batch.BlobBytes
	raw := float64(ch.Header.RawBytes) / n
	fmt.Printf("%-42s %10.2f %10.2f %10.2f %12.0f %12.0f\n", name, raw, float64(len(ch.Data))/n, space/n, n/encoding.Seconds(), n/decoding.Seconds())
	return nil
}

func encode(blocks []batch.Block) (*batch.Channel, error) {
	b, err := batch.NewChannelBuilder(batch.BuilderSettings{TargetBytes: batch.MaxChannelBytes})
	if err != nil {
		return nil, err
	}
	for i := range blocks {
		parent, hash := [32]byte{byte(i)}, [32]byte{byte(i + 1)}
		if err := b.Add(&blocks[i], parent, hash); err != nil {
			return nil, err
		}
	}
	return b.Close()
}

// fastest is the shortest of five runs.
func fastest(f func() error) (time.Duration, error) {
	best := time.Hour
	for range 5 {
		runtime.GC()
		start := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		best = min(best, time.Since(start))
	}
	return best, nil
}
