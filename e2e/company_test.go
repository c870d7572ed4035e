package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// TestADevnetWithCompany: a devnet with a replica and a validator. A transaction that the
// replica takes is in the chain and seen at the replica; the validator checks every block;
// both go on with the chain when the devnet is started again.
func TestADevnetWithCompany(t *testing.T) {
	dir, last := t.TempDir(), uint64(0)
	peer := common.HexToAddress("0xbeef0042")
	for round := range 2 {
		d := startDevnet(t, dir, "--replicas", "1", "--replica-port", "0", "--validators", "1", "--validator-port", "0")
		if len(d.Replicas) != 1 || len(d.Validators) != 1 {
			t.Fatalf("%d replicas, %d validators", len(d.Replicas), len(d.Validators))
		}
		r := d.Replicas[0]
		user := newSender(t, r.HTTPURL, d.Accounts[0].PrivateKey)
		client := dialEth(t, r.HTTPURL)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		receipt, err := sendSync(ctx, client.Client(), user.sign(t, &peer, common.Big1, 21_000, nil))
		cancel()
		if err != nil || receipt.Status != 1 {
			t.Fatalf("sent to the replica: %+v, %v", receipt, err)
		}
		if uint64(receipt.Number) <= last {
			t.Errorf("it is in block %d; the chain was at %d", receipt.Number, last)
		}
		last = uint64(receipt.Number)
		for _, url := range []string{r.HTTPURL, d.L2.HTTPURL} {
			var has hexutil.Uint64
			if err := dialEth(t, url).Client().CallContext(t.Context(), &has, "eth_getBalance", peer, "latest"); err != nil || int(has) != round+1 {
				t.Errorf("%s: the payee has %d, want %d: %v", url, has, round+1, err)
			}
		}
		eventually(t, 20*time.Second, "the validator checks that block", func() error {
			var s struct{ Checked, Faults, Undecided uint64 }
			if err := json.Unmarshal([]byte(page(t, d.Validators[0].StatusURL)), &s); err != nil {
				return err
			}
			if s.Checked < last || s.Faults+s.Undecided > 0 {
				return fmt.Errorf("%+v, want block %d", s, last)
			}
			return nil
		})
		if text := page(t, r.HTTPURL+"/ready"); !strings.Contains(text, `"trailing":{"seconds":`) || !strings.Contains(text, `"status":"ok"`) {
			t.Errorf("the replica is %s", text)
		}
		for url, metric := range map[string]string{r.Metrics: "talaria_replica_trailing_seconds_count ", d.Metrics: "talaria_miniblock_number ", d.Validators[0].Metrics: "talaria_validator_block_number "} {
			if !strings.Contains(page(t, url), "\n"+metric) {
				t.Errorf("%s has no %s", url, metric)
			}
		}
		if err := d.interrupt(); err != nil {
			t.Fatal(err)
		}
	}
}

// page is what an address answers.
func page(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
