package devl1

import (
	"context"
	"encoding/hex"
	"os"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"go.uber.org/goleak"
)

// childEnv names the datadir of a child process that mines until it is killed.
const childEnv = "TALARIA_TEST_DEVL1_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		mineForever(dir)
	}
	goleak.VerifyTestMain(m,
		// One set per process, made by go-ethereum on first use.
		goleak.IgnoreTopFunction("github.com/ethereum/go-ethereum/core.(*txSenderCacher).cache"),
		// Ends up to a second after its database was closed.
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"),
		// A subscription that ends after the event loop waits for it for good.
		goleak.IgnoreTopFunction("github.com/ethereum/go-ethereum/eth/filters.(*Subscription).Unsubscribe.func1"),
	)
}

func start(t *testing.T, opts Options) *L1 {
	t.Helper()
	l, err := Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestStartAnswersQuickly(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		begin := time.Now()
		l := start(t, Options{Datadir: dir})
		opened := time.Since(begin)
		c, err := ethclient.Dial(l.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		id, err := c.ChainID(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("datadir %q: chain %v, opened in %v, first answer after %v", dir, id, opened, time.Since(begin))
		begin = time.Now()
		for range 5 {
			if _, err := l.Mine(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("5 blocks in %v", time.Since(begin))
	}
}

func TestKeysAreThoseOfTheTestMnemonic(t *testing.T) {
	keys := Keys(DevAccounts)
	if got := hex.EncodeToString(crypto.FromECDSA(keys[0])); got != "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80" {
		t.Errorf("key 0 = %s", got)
	}
	if got := Address(keys[9]).Hex(); got != "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720" {
		t.Errorf("account 9 = %s", got)
	}
}
