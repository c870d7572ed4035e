package bench

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Workloads, modes and ways to wait for a receipt.
const (
	Transfer = "transfer" // 1 wei to an account
	ERC20    = "erc20"    // 1 unit of a token that the run deploys

	Closed = "closed" // next transaction after the receipt of the last
	Open   = "open"   // transactions leave at a fixed rate

	Auto = "auto" // Sync where the node offers it, else Poll
	Sync = "sync" // eth_sendRawTransactionSync (EIP-7966)
	Poll = "poll" // eth_sendRawTransaction, then eth_getTransactionReceipt
	// Blocks signs everything before the clock starts, sends with eth_sendRawTransaction
	// or raw ingest and looks for the transactions in blocks.
	Blocks = "blocks"
)

// DefaultKey is the first account of the mnemonic "test test test test test test
// test test test test test junk", which development chains fund.
const DefaultKey = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

// Config says what to send, how, and for how long. A zero field means its default.
type Config struct {
	URL      string        // http(s) or ws(s) address of the node [http://127.0.0.1:8545]
	Workload string        // Transfer or ERC20 [Transfer]
	Mode     string        // Closed or Open [Closed]
	Clients  int           // accounts that send at the same time, 1..10,000 [1; open: 64]
	Rate     float64       // transactions per second, open loop only, up to 1,000,000 [100]
	Duration time.Duration // how long to send; with Txs whichever ends first [10s; none with Txs]
	Txs      int           // transactions in all; 0 means until Duration ends
	Batch    int           // transactions in one JSON-RPC batch, 1..1,000 [1]
	Key      string        // private key that pays, hex [DefaultKey]
	Receipt  string        // Auto, Sync, Poll or Blocks [Auto]; Blocks for a workload that needs it
	Warmup   int           // unmeasured transactions of every client before the run; -1 means none [3]
	Timeout  time.Duration // for one transaction to get its receipt [30s]

	// Of presigned runs (Receipt is Blocks) and of reads:
	Conns int // connections, 1..1,024 [8]
	// Pipeline is how many requests are on the way on a connection, each after the other
	// without waiting, over plain HTTP in the closed loop, 1..1,000 [1].
	Pipeline int
	Ingest   string // tcp:// or tls:// address of raw ingest [JSON-RPC at URL]
	Replica  string // private key of a replica that raw ingest trusts, hex, to be that one [nobody]
	Mix      string // weights of Mixed, "transfer=3,swap=1" [DefaultMix]
	Seed     string // of the accounts' keys [new in every run]
	Legacy   bool   // legacy transactions, not EIP-1559
	// Sample is how many receipts of each block are read for the audit [all]. Where not
	// all are, the senders' own balances are not audited: their fees are not known.
	Sample  int
	PID     int       // process of the node [who listens on URL's port of this machine]
	Streams string    // ws:// address to subscribe at meanwhile [none]
	Log     io.Writer // progress of long preparations [none]
}

// Check returns what is wrong with the configuration, naming the field and what is
// allowed. [Run] checks too.
func (c Config) Check() error {
	_, err := c.withDefaults()
	return err
}

// withDefaults returns a copy with every zero field set, or what is out of range.
func (c Config) withDefaults() (Config, error) {
	set(&c.URL, "http://127.0.0.1:8545")
	set(&c.Workload, Transfer)
	set(&c.Mode, Closed)
	set(&c.Receipt, Auto)
	set(&c.Key, DefaultKey)
	set(&c.Batch, 1)
	if strings.HasPrefix(c.Workload, readPrefix) || c.Receipt == Auto && c.needsBlocks() {
		c.Receipt = Blocks
	}
	if c.Receipt == Blocks {
		set(&c.Conns, 8)
		set(&c.Pipeline, 1)
		set(&c.Seed, newSeed())
		set(&c.Mix, DefaultMix)
		set(&c.Clients, min(max(256, c.Conns*c.Batch), 10_000))
		if c.Mode == Open {
			set(&c.Rate, 100)
		} else if !strings.HasPrefix(c.Workload, readPrefix) {
			set(&c.Txs, 20_000)
		}
	}
	set(&c.Warmup, 3)
	set(&c.Timeout, 30*time.Second)
	if c.Mode == Open {
		set(&c.Clients, 64)
		set(&c.Rate, 100)
	}
	set(&c.Clients, 1)
	if c.Txs == 0 {
		set(&c.Duration, 10*time.Second)
	}
	c.Warmup = max(c.Warmup, 0)
	return c, c.check()
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) check() error {
	scheme, _, _ := strings.Cut(c.URL, "://")
	switch {
	case scheme != "http" && scheme != "https" && scheme != "ws" && scheme != "wss":
		return fmt.Errorf("url %q: must start with http://, https://, ws:// or wss://", c.URL)
	case c.Receipt != Blocks && c.Workload != Transfer && c.Workload != ERC20:
		return fmt.Errorf("workload %q: must be %s or %s, or presigned", c.Workload, Transfer, ERC20)
	case c.Mode != Closed && c.Mode != Open:
		return fmt.Errorf("mode %q: must be %s or %s", c.Mode, Closed, Open)
	case c.Receipt != Auto && c.Receipt != Sync && c.Receipt != Poll && c.Receipt != Blocks:
		return fmt.Errorf("receipt %q: must be %s, %s, %s or %s", c.Receipt, Auto, Sync, Poll, Blocks)
	case c.Clients < 1 || c.Clients > 10_000:
		return fmt.Errorf("clients %d: must be 1..10000", c.Clients)
	case c.Rate < 0 || c.Rate > 1e6:
		return fmt.Errorf("rate %g: must be above 0, up to 1000000", c.Rate)
	case c.Mode == Closed && c.Rate != 0:
		return fmt.Errorf("rate %g: only the open loop has a rate", c.Rate)
	case c.Txs < 0 || c.Duration < 0 || c.Timeout < 0:
		return fmt.Errorf("txs %d, duration %s, timeout %s: must not be negative", c.Txs, c.Duration, c.Timeout)
	case c.Batch < 1 || c.Batch > 1000:
		return fmt.Errorf("batch %d: must be 1..1000", c.Batch)
	}
	if c.Receipt == Blocks {
		if err := c.checkPresigned(); err != nil {
			return err
		}
	}
	if _, err := c.replica(); err != nil {
		return err
	}
	_, err := c.payer()
	return err
}

// needsBlocks says whether only a presigned run can do what is asked.
func (c *Config) needsBlocks() bool {
	return c.Ingest != "" || c.Conns != 0 || c.Streams != "" || c.Workload == Mixed || slices.Contains(kindNames(), c.Workload) && c.Workload != Transfer && c.Workload != ERC20
}

// checkPresigned checks what only presigned runs and reads have.
func (c *Config) checkPresigned() error {
	if method, read := strings.CutPrefix(c.Workload, readPrefix); read {
		if !slices.Contains(readMethods(), method) {
			return fmt.Errorf("workload %q: can read %s", c.Workload, strings.Join(readMethods(), ", "))
		}
	} else if _, err := weights(c.Workload, c.Mix); err != nil {
		return err
	}
	scheme, _, _ := strings.Cut(c.Ingest, "://")
	switch {
	case c.Conns < 1 || c.Conns > 1024:
		return fmt.Errorf("conns %d: must be 1..1024", c.Conns)
	case c.Pipeline < 1 || c.Pipeline > 1000:
		return fmt.Errorf("pipeline %d: must be 1..1000", c.Pipeline)
	case c.Pipeline > 1 && (scheme != "" || c.Mode == Open || !strings.HasPrefix(c.URL, "http://") || strings.HasPrefix(c.Workload, readPrefix)):
		return fmt.Errorf("pipeline %d: is for transactions over http:// in the closed loop", c.Pipeline)
	case c.Sample < 0:
		return fmt.Errorf("sample %d: must not be negative", c.Sample)
	case c.Ingest != "" && scheme != "tcp" && scheme != "tls":
		return fmt.Errorf("ingest %q: must start with tcp:// or tls://", c.Ingest)
	case c.Replica != "" && c.Ingest == "":
		return errors.New("as a replica: needs raw ingest")
	case c.Streams != "" && !strings.HasPrefix(c.Streams, "ws"):
		return fmt.Errorf("streams %q: must start with ws:// or wss://", c.Streams)
	case c.planned() > maxPresigned:
		return fmt.Errorf("%d transactions: at most %d can be presigned", c.planned(), uint64(maxPresigned))
	}
	return nil
}

// maxPresigned bounds the memory of a presigned run: about 1 KB a transaction.
const maxPresigned = 4_000_000

// payer is the key that funds the run.
func (c *Config) payer() (*ecdsa.PrivateKey, error) {
	key, err := crypto.HexToECDSA(strings.TrimPrefix(c.Key, "0x"))
	if err != nil {
		return nil, fmt.Errorf("key: must be 64 hex digits of a secp256k1 private key: %w", err)
	}
	return key, nil
}

// replica signs as the replica that the run is; nil: it is none.
func (c *Config) replica() (func(common.Hash) ([]byte, error), error) {
	if c.Replica == "" {
		return nil, nil
	}
	key, err := crypto.HexToECDSA(strings.TrimPrefix(c.Replica, "0x"))
	if err != nil {
		return nil, errors.New("key of a replica: must be 64 hex digits of a secp256k1 private key") // never what it is
	}
	return func(digest common.Hash) ([]byte, error) { return crypto.Sign(digest[:], key) }, nil
}

// perClient bounds how many transactions one client sends, for its funding.
func (c *Config) perClient() uint64 {
	const fastest = 1000 // closed loop: transactions or batches per second of one client
	switch {
	case c.Mode == Open:
		return c.planned()/uint64(c.Clients) + uint64(c.Batch) + uint64(c.Warmup)
	case c.Txs > 0:
		return uint64(c.Txs/c.Clients) + 1 + uint64(c.Warmup)
	default:
		return uint64(c.Duration.Seconds()*fastest+1)*uint64(c.Batch) + uint64(c.Warmup)
	}
}

// planned is how many transactions an open or presigned run sends.
func (c *Config) planned() uint64 {
	if c.Duration == 0 || c.Mode == Closed {
		return uint64(c.Txs)
	}
	n := uint64(c.Rate * c.Duration.Seconds())
	if c.Txs > 0 {
		n = min(n, uint64(c.Txs))
	}
	return max(n, 1)
}

// transport is the scheme by which transactions travel.
func (c *Config) transport() string {
	at := c.URL
	if c.Ingest != "" {
		at = c.Ingest
	}
	scheme, _, _ := strings.Cut(at, "://")
	return scheme
}
