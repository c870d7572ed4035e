package node

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

func cacheBlock(number int64, logBytes int) *chain.Block {
	tx := chain.NewDepositTx(&chain.Deposit{Mint: new(big.Int), Value: new(big.Int)})
	r := &chain.Receipt{Logs: []*types.Log{{Data: make([]byte, logBytes)}}}
	return chain.NewBlock(&types.Header{Number: big.NewInt(number), Time: uint64(logBytes)}, []*chain.Tx{tx}, []*chain.Receipt{r}, nil)
}

func TestBlockCacheIsBoundedInBytes(t *testing.T) {
	var c blockCache
	const logBytes = 20 << 20
	for n := range int64(40) {
		c.add(cacheBlock(n, logBytes))
		if c.weight > maxCachedBytes {
			t.Fatalf("weight %d after block %d", c.weight, n)
		}
	}
	if kept := maxCachedBytes / logBytes; c.order.Len() > kept || c.order.Len() < kept-2 {
		t.Errorf("%d blocks of 20 MiB kept", c.order.Len())
	}
	c.add(cacheBlock(99, maxCachedBytes/2))
	if _, ok := c.byNum[99]; ok {
		t.Error("a block of half the cache was kept")
	}
}

func TestBlockCacheDoesNotKeepWhatARewindRemoved(t *testing.T) {
	var c blockCache
	got, err := c.get(5, func() (*chain.Block, error) {
		c.forget(4) // while the old block 5 is being read
		return cacheBlock(5, 1), nil
	})
	if err != nil || got.Header.Time != 1 {
		t.Fatal(got, err)
	}
	c.add(cacheBlock(5, 2))
	got, err = c.get(5, func() (*chain.Block, error) { t.Fatal("not cached"); return nil, nil })
	if err != nil || got.Header.Time != 2 {
		t.Errorf("block of before the rewind is served (%v)", err)
	}
}
