package e2e

import (
	"context"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
)

// TestBlobFeesTimesHundred: blob gas becomes a hundred times dearer against gas, and then
// gas a hundred times dearer at once. Nobody can set the price of blobs, so that of gas
// moves. Batches turn to calldata, what is stuck at the old price is replaced at a higher
// one, and every block is on L1 once.
func TestBlobFeesTimesHundred(t *testing.T) {
	t.Parallel()
	const gwei = 1_000_000_000
	l1 := startDearBlobs(t, "--block-time", "1", "--base-fee", fmt.Sprint(100*gwei)) // blob gas: 3.6 gwei
	price := holdGasPrice(t, l1.url, 100*gwei)
	d := startDevnet(t, t.TempDir(), "--l1-url", l1.url, "--l1-beacon-url", l1.beacon, "--l1-confirmations", "0", "--batch-ms", "500", "--claim-ms", "0")
	user := &trickle{sender: newSender(t, d.L2.HTTPURL, d.Accounts[0].PrivateKey)}
	client := dialEth(t, d.L2.HTTPURL)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); user.run(ctx, t, d.L2.HTTPURL) }()
	defer func() { stop(); <-done }()
	// more waits until L1 holds so many blocks more.
	more := func(blocks uint64) {
		t.Helper()
		n, err := client.BlockNumber(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		onL1(t, d, n+blocks)
	}
	more(2)
	price(gwei)
	more(3)
	if _, blobs, calldata := postedOnL1(t, l1.url, d.Genesis); blobs == 0 || calldata == 0 {
		t.Errorf("%d transactions with blobs and %d with calldata, want some of each", blobs, calldata)
	}
	price(100 * gwei) // what is on its way now offers too little
	more(3)
	stop()
	<-done
	last := openBlock(t, d)
	onceOnL1(t, d, l1.url, last)
	user.check(t, sameChain(t, d, l1, last).HTTPURL)
}

// holdGasPrice keeps the base fee of anvil's blocks where the returned function sets it, in
// wei.
func holdGasPrice(t *testing.T, url string, wei int64) func(wei int64) {
	t.Helper()
	client, err := rpc.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	prices, done := make(chan int64), make(chan struct{})
	go func() {
		defer close(done)
		defer client.Close()
		for {
			_ = client.CallContext(ctx, nil, "anvil_setNextBlockBaseFeePerGas", (*hexutil.Big)(big.NewInt(wei)))
			select {
			case wei = <-prices:
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return func(wei int64) { prices <- wei }
}
