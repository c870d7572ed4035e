package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/talaria-l2/talaria/sdk/ingest"
)

// TestAReplicaThatForgesIsCutOff: a sequencer trusts two replicas. One is honest and passes
// its users' transactions on; the other names senders who did not sign. It is found within a
// second and cut off; every acknowledged transaction of the honest one's users is in the
// chain, nobody's money was moved, and replica and validator follow.
func TestAReplicaThatForgesIsCutOff(t *testing.T) {
	t.Parallel()
	keyOf := func(n byte) string { return common.BytesToHash([]byte{0xed, 0x9e, n}).Hex() }
	addressOf := func(n byte) common.Address {
		key, err := crypto.HexToECDSA(keyOf(n)[2:])
		if err != nil {
			t.Fatal(err)
		}
		return crypto.PubkeyToAddress(key.PublicKey)
	}
	const honest, evil = 1, 2
	d := startDevnet(t, t.TempDir(), "--trusted-replica", addressOf(honest).Hex(), "--trusted-replica", addressOf(evil).Hex())
	var replica struct {
		L2     L2Info `json:"l2"`
		Ingest string `json:"ingestUrl"`
	}
	startRoleWith(t, []string{"TALARIA_REPLICA_KEY=" + keyOf(honest)}, &replica, "replica", "--datadir", t.TempDir(), "--genesis", d.Genesis, "--port", "0",
		"--feed-url", d.Feed, "--leader-url", d.L2.HTTPURL, "--leader-ingest", d.Ingest, "--ingest-port", "0")
	var executing struct {
		L2 L2Info `json:"l2"`
	}
	startRole(t, &executing, "replica", "--mode", "execute", "--datadir", t.TempDir(), "--genesis", d.Genesis, "--port", "0", "--feed-url", d.Feed, "--leader-url", d.L2.HTTPURL)
	var validator struct{ StatusURL string }
	startRole(t, &validator, "validator", "--datadir", t.TempDir(), "--genesis", d.Genesis, "--port", "0",
		"--feed-url", d.Feed, "--leader-url", d.L2.HTTPURL, "--l1-url", d.L1.HTTPURL)

	// Two users of the honest replica: each has its receipt, and at once finds it there.
	stop, ended := make(chan struct{}), make(chan error, 2)
	hashes := make(chan common.Hash, 100_000)
	var missed atomic.Int32 // receipts that were not there when they had just been given
	for i := range 2 {
		s := newSender(t, d.L2.HTTPURL, d.Accounts[i].PrivateKey)
		node, err := rpc.DialContext(t.Context(), replica.L2.HTTPURL)
		if err != nil {
			t.Fatal(err)
		}
		defer node.Close()
		go func() {
			ended <- func() error {
				for {
					select {
					case <-stop:
						return nil
					default:
					}
					tx := s.sign(t, &common.Address{0xab}, big.NewInt(1), 21_000, nil)
					raw, err := tx.MarshalBinary()
					if err != nil {
						return err
					}
					var sent, found struct{ TransactionHash common.Hash }
					// While the chain goes back it says so: then it is sent again.
					for {
						err = node.CallContext(t.Context(), &sent, "eth_sendRawTransactionSync", hexutil.Bytes(raw))
						var e rpc.Error
						if errors.As(err, &e) && e.ErrorCode() == 5 {
							time.Sleep(time.Millisecond)
							continue
						}
						break
					}
					if err != nil {
						return fmt.Errorf("transaction %d: %w", tx.Nonce(), err)
					}
					hashes <- tx.Hash()
					if err := node.CallContext(t.Context(), &found, "eth_getTransactionReceipt", tx.Hash()); err != nil || found.TransactionHash != tx.Hash() {
						missed.Add(1)
					}
				}
			}()
		}()
	}
	time.Sleep(300 * time.Millisecond)

	forgeSender(t, d, addressOf(evil), keyOf(evil))

	time.Sleep(300 * time.Millisecond)
	close(stop)
	for range 2 {
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	close(hashes)
	leader, follower := dialEth(t, d.L2.HTTPURL), dialEth(t, replica.L2.HTTPURL)
	n := 0
	for hash := range hashes {
		n++
		var receipts [2]*types.Receipt
		eventually(t, 20*time.Second, "a receipt that was given is there", func() (err error) {
			if receipts[0], err = leader.TransactionReceipt(t.Context(), hash); err == nil {
				receipts[1], err = follower.TransactionReceipt(t.Context(), hash)
			}
			if err == nil && (receipts[0].BlockHash == common.Hash{} || receipts[0].BlockHash != receipts[1].BlockHash) {
				err = fmt.Errorf("in block %s there, %s here", receipts[0].BlockHash, receipts[1].BlockHash)
			}
			return err
		})
	}
	if m := missed.Load(); m > 4 { // the chain went back once
		t.Errorf("%d of %d receipts were not there when they had just been given", m, n)
	}
	if n < 20 {
		t.Errorf("only %d transactions were acknowledged: nothing is shown", n)
	}
	height, err := leader.BlockNumber(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ours := chainOf(t, d.L2.HTTPURL, height)
	for name, url := range map[string]string{"replica": replica.L2.HTTPURL, "executing replica": executing.L2.HTTPURL} {
		node := dialEth(t, url)
		eventually(t, 20*time.Second, name+" follows", func() error {
			n, err := node.BlockNumber(t.Context())
			if err == nil && n < height {
				err = fmt.Errorf("block %d of %d", n, height)
			}
			return err
		})
		if theirs := chainOf(t, url, height); !slices.Equal(ours, theirs) {
			t.Fatalf("%s: blocks are %s, the sequencer's %s", name, theirs, ours)
		}
	}
	eventually(t, 20*time.Second, "the validator has checked the blocks", func() error {
		answer, err := http.Get(validator.StatusURL)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		var status struct{ Checked, Faults, Undecided uint64 }
		if err := json.NewDecoder(answer.Body).Decode(&status); err != nil {
			return err
		}
		if status.Faults+status.Undecided > 0 {
			t.Fatalf("it finds %+v", status)
		}
		if status.Checked < height {
			return fmt.Errorf("%d of %d", status.Checked, height)
		}
		return nil
	})
}

// forgeSender names an account as the sender of transactions that it did not sign, as a trusted
// replica, and checks that it is cut off and that the account has what it had.
func forgeSender(t *testing.T, d *devnet, address common.Address, key string) {
	t.Helper()
	sign := func(digest common.Hash) ([]byte, error) {
		k, err := crypto.HexToECDSA(key[2:])
		if err != nil {
			return nil, err
		}
		return crypto.Sign(digest[:], k)
	}
	o := ingest.Options{ChainID: d.L2.ChainID, Sign: sign}
	conn, err := ingest.Dial(t.Context(), d.Ingest, o)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	thief, victim := newSender(t, d.L2.HTTPURL, d.Accounts[5].PrivateKey), newSender(t, d.L2.HTTPURL, d.Accounts[6].PrivateKey)
	client := dialEth(t, d.L2.HTTPURL)
	before, err := client.BalanceAt(t.Context(), victim.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	tx := thief.sign(t, &common.Address{0xcd}, big.NewInt(1e18), 21_000, nil)
	thief.nonce-- // it is the victim's that it uses
	raw, err := tx.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := conn.Send(t.Context(), ingest.Tx{Raw: nobodys(t, thief), Sender: thief.addr}, ingest.Tx{Raw: raw, Hash: tx.Hash(), Sender: victim.addr}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-conn.Done():
	case <-time.After(20 * time.Second):
		t.Fatalf("not cut off: %s", d.stderr)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it was found after %s", took)
	}
	var closing *ingest.ClosingError
	if !errors.As(conn.Err(), &closing) || closing.Reason != ingest.ReasonForged {
		t.Errorf("cut off with %v", conn.Err())
	}
	var refused *ingest.HelloError
	if _, err := ingest.Dial(t.Context(), d.Ingest, o); !errors.As(err, &refused) || refused.Hello.Status != ingest.HelloWithdrawn {
		t.Errorf("once more: %v", err)
	}
	if _, err := os.Stat(filepath.Join(d.Datadir, "distrusted-"+address.Hex()+".json")); err != nil {
		t.Errorf("evidence: %v", err)
	}
	eventually(t, 10*time.Second, "the chain goes on without what was forged", func() error {
		after, err := client.BalanceAt(t.Context(), victim.addr, nil)
		if err == nil && after.Cmp(before) != 0 {
			err = fmt.Errorf("the victim has %s, had %s", after, before)
		}
		return err
	})
}

// nobodys is a transaction with the account's next nonce that nobody has signed: a contract, so
// that two accounts get another nonce.
func nobodys(t *testing.T, s *sender) []byte {
	t.Helper()
	raw, err := s.sign(t, nil, new(big.Int), 100_000, []byte{0}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for { // half of all r are of nobody
		raw[len(raw)-40]++
		tx := new(types.Transaction)
		if err := tx.UnmarshalBinary(raw); err != nil {
			t.Fatal(err)
		}
		if _, err := types.Sender(types.LatestSignerForChainID(s.chainID), tx); err != nil {
			return raw
		}
	}
}
