package main

import (
	"bytes"
	"flag"
	"fmt"
	"math/big"
	"os"
	"time"

	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rlp"
)

// set is what the file holds: a list of these.
type set struct {
	Name   string
	Blocks []block
}

type block struct {
	Number, Timestamp uint64
	OriginNumber      uint64
	OriginHash        [32]byte
	Txs               [][]byte
}

func main() {
	in := flag.String("in", "", "file of blocks from bench/batches")
	chainID := flag.Int64("chain-id", 0, "of the transactions")
	algorithm := flag.String("compression", string(derive.Brotli10), "brotli-9, brotli-10 (what a batcher uses by default) or brotli-11")
	flag.Parse()
	if err := run(*in, big.NewInt(*chainID), derive.CompressionAlgo(*algorithm)); err != nil {
		fmt.Fprintln(os.Stderr, "opbatch:", err)
		os.Exit(1)
	}
}

func run(path string, chainID *big.Int, algorithm derive.CompressionAlgo) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var sets []set
	if err := rlp.DecodeBytes(data, &sets); err != nil {
		return err
	}
	fmt.Printf("%-42s %10s %10s %12s\n", "", "channel", "blob space", "encoding")
	fmt.Printf("%-42s %10s %10s %12s\n", "", "B/tx", "B/tx", "tx/s")
	for _, s := range sets {
		start := time.Now()
		channel, err := encode(s.Blocks, chainID, algorithm)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		took := time.Since(start)
		if err := check(channel, s.Blocks, chainID); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		txs := 0
		for _, b := range s.Blocks {
			txs += len(b.Txs)
		}
		space := blobSpace(len(channel))
		fmt.Printf("%-42s %10.2f %10.2f %12.0f\n", s.Name, float64(len(channel))/float64(txs), space/float64(txs), float64(txs)/took.Seconds())
	}
	return nil
}

// encode makes one span batch in one channel, as op-batcher does.
func encode(blocks []block, chainID *big.Int, algorithm derive.CompressionAlgo) ([]byte, error) {
	span := derive.NewSpanBatch(blocks[0].Timestamp-1_000_000, chainID)
	for i, b := range blocks {
		single := &derive.SingularBatch{EpochNum: rollup.Epoch(b.OriginNumber), EpochHash: b.OriginHash, Timestamp: b.Timestamp}
		for _, tx := range b.Txs {
			single.Transactions = append(single.Transactions, tx)
		}
		if err := span.AppendSingularBatch(single, uint64(i)); err != nil {
			return nil, err
		}
	}
	raw, err := span.ToRawSpanBatch()
	if err != nil {
		return nil, err
	}
	var plain bytes.Buffer
	if err := rlp.Encode(&plain, derive.NewBatchData(raw)); err != nil {
		return nil, err
	}
	compressor, err := derive.NewChannelCompressor(algorithm)
	if err != nil {
		return nil, err
	}
	if _, err := compressor.Write(plain.Bytes()); err != nil {
		return nil, err
	}
	if err := compressor.Close(); err != nil {
		return nil, err
	}
	return bytes.Clone(compressor.GetCompressed().Bytes()), nil
}

// check reads the channel back and compares the transactions.
func check(channel []byte, blocks []block, chainID *big.Int) error {
	next, err := derive.BatchReader(bytes.NewReader(channel), 100_000_000, true)
	if err != nil {
		return err
	}
	data, err := next()
	if err != nil {
		return err
	}
	cfg := &rollup.Config{L2ChainID: chainID, BlockTime: 1, Genesis: rollup.Genesis{L2Time: blocks[0].Timestamp - 1_000_000}}
	span, err := derive.DeriveSpanBatch(data, cfg)
	if err != nil {
		return err
	}
	for i, b := range blocks {
		var got []hexutil.Bytes = span.GetBlockTransactions(i)
		if len(got) != len(b.Txs) {
			return fmt.Errorf("block %d has %d transactions, decoded %d", i, len(b.Txs), len(got))
		}
		for j := range got {
			if !bytes.Equal(got[j], b.Txs[j]) {
				return fmt.Errorf("block %d, transaction %d: decoded differently", i, j)
			}
		}
	}
	return nil
}

// blobSpace is what frames of a channel, one to a blob, take in blobs, counted by
// content: a blob of 131,072 bytes holds a version byte and frames.
func blobSpace(channel int) float64 {
	const version = 1 // byte before the frames of a blob
	const room = eth.MaxBlobDataSize - version - derive.FrameV0OverHeadSize
	frames := (channel + room - 1) / room
	content := channel + frames*(derive.FrameV0OverHeadSize+version)
	return float64(content) / eth.MaxBlobDataSize * eth.BlobSize
}
