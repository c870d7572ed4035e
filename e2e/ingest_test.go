package e2e

import (
	"context"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/sdk/ingest"
)

// What the raw way in acknowledges can be queried at that moment, also when the
// transactions arrive in the wrong order and among others that are refused.
func TestRawIngestAcknowledgesWhatCanBeQueried(t *testing.T) {
	d := sharedDevnet(t)
	s := newSender(t, d.L2.HTTPURL, d.Accounts[6].PrivateKey)
	client := dialEth(t, d.L2.HTTPURL)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	acks := make(map[common.Hash]ingest.Ack)
	conn, err := ingest.Dial(ctx, d.Ingest, ingest.Options{ChainID: d.L2.ChainID, OnAck: func(list []ingest.Ack) {
		for _, a := range list {
			acks[a.Hash] = a
			if !a.Status.Included() {
				continue
			}
			if r, err := client.TransactionReceipt(ctx, a.Hash); err != nil || r.Status != 1 {
				t.Errorf("%s is acknowledged, and its receipt is %v, %v", a.Hash, r, err)
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const total = 200
	txs := make([]ingest.Tx, total)
	for i := range txs {
		tx := s.sign(t, &common.Address{0xab}, big.NewInt(1), 21_000, nil)
		raw, err := tx.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		txs[i] = ingest.Tx{Raw: raw, Hash: tx.Hash(), Sender: s.addr}
	}
	for i := 0; i+3 < total; i += 4 {
		txs[i], txs[i+2] = txs[i+2], txs[i]
	}
	if err := conn.Send(ctx, ingest.Tx{Raw: []byte{0x02, 0xc0}}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Send(ctx, txs...); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(ctx); err != nil {
		t.Fatalf("%v; %d unacknowledged", err, len(conn.Unacknowledged()))
	}
	if err := conn.Close(); err != nil { // no callback any more
		t.Fatal(err)
	}
	if len(acks) != total+1 {
		t.Fatalf("%d acknowledgements, want %d", len(acks), total+1)
	}
	refused := 0
	for _, a := range acks {
		if a.Status == ingest.Malformed {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d were malformed, want 1", refused)
	}
}
