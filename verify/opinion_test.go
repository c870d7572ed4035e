package verify_test

import (
	"errors"
	"testing"

	"github.com/talaria-l2/talaria/verify"
	"github.com/talaria-l2/talaria/verify/opinion"
)

func TestGoEthereumAgreesOnBlocks(t *testing.T) {
	cfg, blocks := verify.RichBlocks(t)
	for _, in := range blocks {
		if err := opinion.Check(cfg, in.In()); err != nil {
			t.Fatalf("block %d: %v", in.Header.Number, err)
		}
	}
	cfg, blocks = verify.RandomBlocks(t, 7, 25)
	for _, in := range blocks {
		if err := opinion.Check(cfg, in.In()); err != nil {
			t.Fatalf("block %d: %v", in.Header.Number, err)
		}
	}
}

func TestGoEthereumNeedsNoMoreThanTheChainRecords(t *testing.T) {
	cfg, blocks := verify.RecordedBlocks(t, 9, 12)
	for _, in := range blocks {
		if err := opinion.Check(cfg, in.In()); err != nil {
			t.Fatalf("block %d of %d transactions: %v", in.Header.Number, len(in.MiniBlocks[0].Txs), err)
		}
	}
}

func TestGoEthereumDisagreesWithAWrongBlock(t *testing.T) {
	cfg, blocks := verify.RichBlocks(t)
	for kind, lie := range map[verify.Kind]func(*verify.Made){
		opinion.KindReceipt:   func(in *verify.Made) { in.MiniBlocks[1].Receipts[0].Status ^= 1 },
		opinion.KindStateRoot: func(in *verify.Made) { in.Header.Root[0] ^= 1 },
	} {
		in := verify.Clone(blocks[1])
		lie(in)
		var fault *verify.Fault
		if err := opinion.Check(cfg, in.In()); !errors.As(err, &fault) || fault.Kind != kind {
			t.Fatalf("%s: %v", kind, err)
		}
	}
}

func TestGoEthereumNamesWhatAWitnessLacks(t *testing.T) {
	cfg, blocks := verify.RichBlocks(t)
	in := verify.Clone(blocks[1])
	in.Witness.State = in.Witness.State[:len(in.Witness.State)/2]
	var fault *verify.Fault
	if err := opinion.Check(cfg, in.In()); err == nil || errors.As(err, &fault) && fault.Kind != opinion.KindReceipt {
		t.Fatal(err)
	}
}
