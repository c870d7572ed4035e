package l1feed

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
)

// namingL1 names as much data in each block as may be.
type namingL1 struct{ testL1 }

func (l *namingL1) Fetch(ctx context.Context, number uint64, batcher common.Address) (*l1.Block, error) {
	b, err := l.testL1.Fetch(ctx, number, batcher)
	if err != nil || batcher == (common.Address{}) {
		return b, err
	}
	for range derive.MaxNamedBytes / da.MaxAltDABytes {
		named := &da.Keccak{Hash: common.Hash{byte(number)}, Length: da.MaxAltDABytes}
		b.Batches = append(b.Batches, l1.BatchTx{From: batcher, Data: named.Bytes()})
	}
	return b, nil
}

// sameData answers everything with the same bytes.
type sameData []byte

func (d sameData) Resolve(context.Context, *l1.Block, *l1.BatchTx) ([]byte, error) { return d, nil }

func TestWhatWaitsIsBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &namingL1{testL1{fetched: map[uint64]int{}}}
		l.grow(0, 100)
		cfg := chain.DefaultConfig()
		f := Start(l, Options{From: 2, Log: slog.New(slog.DiscardHandler), Batches: &Batches{
			Config: &cfg, Resolver: sameData(make([]byte, da.MaxAltDABytes)),
			System: chain.SystemConfig{Batcher: common.Address{1}, DAMode: chain.DAAlt},
		}})
		defer f.Close()
		waiting := func() (n int) {
			time.Sleep(time.Minute)
			synctest.Wait()
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, b := range f.blocks {
				for i := range b.Batches {
					n += len(b.Batches[i].Data)
				}
			}
			return n
		}
		for number := uint64(2); number < 100; number++ {
			n := waiting()
			if n >= maxWaiting+derive.MaxNamedBytes || number > 2 && number < 97 && n < maxWaiting-derive.MaxNamedBytes {
				t.Fatalf("%d MiB wait before block %d is read", n>>20, number)
			}
			if number%2 == 0 {
				read(t, &l.testL1, f, number, number)
				continue
			}
			if b := f.Peek(); b == nil || b.Number != number {
				t.Fatalf("block %d: %+v", number, b)
			}
			f.Pop()
		}
		f.Rewind(2, chain.SystemConfig{Batcher: common.Address{1}, DAMode: chain.DAAlt}, chain.L1Origin{})
		if n := waiting(); n < maxWaiting-derive.MaxNamedBytes || n >= maxWaiting+derive.MaxNamedBytes {
			t.Fatalf("%d MiB wait after going back", n>>20)
		}
	})
}
