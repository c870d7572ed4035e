package daoperator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/committee"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
	"github.com/talaria-l2/talaria/l1/devl1"
)

const l2ChainID = 7_411

// layer1 is an L1 with registry and verifier behind proxies.
type layer1 struct {
	t        *testing.T
	client   *l1.Client
	sender   *l1.Sender
	registry common.Address
	verifier common.Address
}

func newLayer1(t *testing.T) *layer1 {
	t.Helper()
	chain, err := devl1.Start(devl1.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := chain.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := l1.Dial(t.Context(), l1.Options{URL: chain.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w := &layer1{t: t, client: client, sender: l1.NewSender(client, l1.NewKeySigner(devl1.Keys(1)[0]), l1.SenderOptions{})}
	w.registry = w.proxy(bindings.OperatorRegistryMetaData.Bin)
	w.verifier = w.proxy(bindings.CertificateVerifierMetaData.Bin)
	owner := w.sender.Address()
	w.send(w.registry, bindings.NewOperatorRegistry().PackInitialize(owner))
	w.send(w.verifier, bindings.NewCertificateVerifier().PackInitialize(owner, w.registry, l2ChainID, committee.DefaultThreshold))
	return w
}

// proxy deploys a contract and a proxy (ERC-1167) of it.
func (w *layer1) proxy(creation string) common.Address {
	w.t.Helper()
	implementation, _, err := w.sender.Deploy(w.t.Context(), common.FromHex(creation))
	if err != nil {
		w.t.Fatal(err)
	}
	code := "0x3d602d80600a3d3981f3363d3d373d3d3d363d73" + implementation.Hex()[2:] + "5af43d82803e903d91602b57fd5bf3"
	at, _, err := w.sender.Deploy(w.t.Context(), common.FromHex(code))
	if err != nil {
		w.t.Fatal(err)
	}
	return at
}

func (w *layer1) send(to common.Address, data []byte) uint64 {
	w.t.Helper()
	receipt, err := w.sender.Send(w.t.Context(), l1.Request{To: &to, Data: data})
	if err != nil {
		w.t.Fatal(err)
	}
	return receipt.GasUsed
}

// found makes a committee of these keys the next epoch.
func (w *layer1) found(keys []*bls.SecretKey) (sealing uint64) {
	w.t.Helper()
	for i, key := range keys {
		account := common.BytesToAddress(fmt.Appendf(nil, "operator %d", i))
		call, err := committee.RegisterCall(w.client.ChainID().Uint64(), w.registry, account, key, fmt.Sprintf("http://127.0.0.1:%d", i+1))
		if err != nil {
			w.t.Fatal(err)
		}
		w.send(w.registry, call)
		if call, err = committee.SetWeightCall(account, 1); err != nil {
			w.t.Fatal(err)
		}
		w.send(w.registry, call)
	}
	call, err := committee.SealEpochCall()
	if err != nil {
		w.t.Fatal(err)
	}
	return w.send(w.registry, call)
}

func (w *layer1) source() *committee.Registry {
	w.t.Helper()
	r, err := committee.NewRegistry(committee.RegistryOptions{
		L1: w.client.Eth(), Registry: w.registry, Verifier: w.verifier, L1ChainID: w.client.ChainID().Uint64(), L2ChainID: l2ChainID,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// The whole way of a batch: registered on L1, dispersed, certified on L1, found in the
// event, retrieved with three of seven operators gone.
func TestABatchCountsOnL1AndComesBack(t *testing.T) {
	w := newLayer1(t)
	if _, err := w.source().Latest(t.Context()); !errors.Is(err, da.ErrUnavailable) {
		t.Fatalf("before the first epoch: %v", err)
	}
	dir := t.TempDir()
	keys, err := LocalKeys(dir, 7)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("gas of sealing an epoch of 7: %d", w.found(keys))
	local, err := StartLocal(LocalOptions{Dir: dir, Source: w.source(), Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := local.Close(); err != nil {
			t.Error(err)
		}
	}()
	disperser := committee.NewDisperser(committee.DisperserOptions{Source: local.Source(), Linger: time.Minute, Timeout: time.Minute})
	defer disperser.Close()
	data := bytes.Repeat([]byte("frames of a batch "), 9_000)
	cert, err := disperser.Put(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := w.sender.Send(t.Context(), l1.Request{To: &w.verifier, Data: da.CertifyCall(cert)})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("gas of certifying %d blobs by %d of 7: %d", len(cert.Commitments), cert.SignerCount(), receipt.GasUsed)
	if len(receipt.Logs) != 1 || receipt.Logs[0].Address != w.verifier {
		t.Fatalf("logs: %v", receipt.Logs)
	}
	found, batcher, err := da.CertifiedFromLog(receipt.Logs[0])
	if err != nil || batcher != w.sender.Address() || found.Hash() != cert.Hash() {
		t.Fatalf("the event is %v of %v, %v", found, batcher, err)
	}
	for _, i := range []int{0, 3, 5} {
		if err := local.Operators()[i].Close(); err != nil {
			t.Fatal(err)
		}
	}
	retriever := committee.NewRetriever(committee.RetrieverOptions{Source: local.Source()})
	if got, err := retriever.Get(t.Context(), found); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}

	forged := *cert
	forged.Signers = []byte{0x3f}
	if _, err := w.sender.Send(t.Context(), l1.Request{To: &w.verifier, Data: da.CertifyCall(&forged)}); !errors.Is(err, l1.ErrReverted) {
		t.Fatalf("a forged certificate on L1: %v", err)
	}
	// Another epoch: the old committee is still known, the new one has another operator.
	more, err := LocalKeys(t.TempDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	w.found(more)
	source := w.source()
	first, err := source.Committee(t.Context(), 1)
	if err != nil || len(first.Operators) != 7 || first.Find(keys[0].Public()) != 0 {
		t.Fatalf("epoch 1: %+v, %v", first, err)
	}
	second, err := source.Latest(t.Context())
	if err != nil || second.Epoch != 2 || second.Find(more[0].Public()) != 0 || second.Operators[6].URL != "http://127.0.0.1:7" {
		t.Fatalf("epoch 2: %+v, %v", second, err)
	}
	if _, err := source.Committee(t.Context(), 3); !errors.Is(err, da.ErrNotFound) {
		t.Fatalf("epoch 3: %v", err)
	}
}

func TestALocalCommitteeKeepsItsKeysAndData(t *testing.T) {
	dir := t.TempDir()
	keys, err := LocalKeys(dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	members := &committee.Committee{Epoch: 1}
	for _, k := range keys {
		members.Operators = append(members.Operators, committee.Operator{Key: k.Public(), Weight: 1, URL: "http://127.0.0.1:1"})
	}
	start := func() *Local {
		l, err := StartLocal(LocalOptions{Dir: dir, Operators: 2, Source: committee.Fixed{Only: members}, Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := start()
	disperser := committee.NewDisperser(committee.DisperserOptions{Source: l.Source(), Threshold: 10_000, Timeout: time.Minute})
	cert, err := disperser.Put(context.Background(), []byte("kept"))
	disperser.Close()
	if err = errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	l = start()
	defer l.Close()
	got, err := committee.NewRetriever(committee.RetrieverOptions{Source: l.Source()}).Get(context.Background(), cert)
	if err != nil || string(got) != "kept" {
		t.Fatalf("after a restart: %q, %v", got, err)
	}
	if _, err := LocalKeys(dir, 0); err == nil {
		t.Fatal("a committee of nobody")
	}
}

func TestWhatHasExpiredIsSweptAfterTheRetention(t *testing.T) {
	dir := t.TempDir()
	keys, err := LocalKeys(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	members := &committee.Committee{Epoch: 1, Operators: []committee.Operator{{Key: keys[0].Public(), Weight: 1}}}
	start := func(retention time.Duration) *Operator {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		o, err := Start(Options{Dir: dir, Key: keys[0], Source: committee.Fixed{Only: members}, Listener: listener, Retention: retention, Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		members.Operators[0].URL = o.URL()
		return o
	}
	o := start(0)
	disperser := committee.NewDisperser(committee.DisperserOptions{Source: committee.Fixed{Only: members}, Expiry: time.Second, Timeout: time.Minute})
	_, err = disperser.Put(context.Background(), []byte("soon gone"))
	disperser.Close()
	if err = errors.Join(err, o.Close()); err != nil {
		t.Fatal(err)
	}
	files := func() int {
		found, err := filepath.Glob(filepath.Join(dir, "chunks", "*", "*.chunk"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	if files() != 1 {
		t.Fatalf("%d files", files())
	}
	// It may take until the second in which the statement expired is over.
	deadline := time.Now().Add(30 * time.Second)
	for files() != 0 {
		if time.Now().After(deadline) {
			t.Fatal("expired, and still there")
		}
		if err := start(time.Nanosecond).Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKeystoresOpenWithTheirPasswordOnly(t *testing.T) {
	keys, err := LocalKeys(t.TempDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := EncryptKey(keys[0], "pass\u00e9word\n")
	if err != nil {
		t.Fatal(err)
	}
	// Composed or not, and without control characters: the same password.
	for _, password := range []string{"pass\u00e9word", "passe\u0301word"} {
		if k, err := DecryptKey(raw, password); err != nil || k.Bytes() != keys[0].Bytes() {
			t.Fatalf("%q: %v", password, err)
		}
	}
	if _, err := DecryptKey(raw, "password"); !errors.Is(err, ErrPassword) {
		t.Fatalf("a wrong password: %v", err)
	}
	for name, edit := range map[string]func(*keystore){
		"another version": func(k *keystore) { k.Version = 3 },
		"no rounds":       func(k *keystore) { k.Crypto.KDF.Params.C = 0 },
		"endless rounds":  func(k *keystore) { k.Crypto.KDF.Params.C = 1 << 40 },
		"a giant scrypt": func(k *keystore) {
			k.Crypto.KDF.Function, k.Crypto.KDF.Params = "scrypt", kdfParams{KeyBytes: 32, N: 1 << 30, R: 1 << 30, P: 1}
		},
		"an unknown KDF":    func(k *keystore) { k.Crypto.KDF.Function = "argon2" },
		"a short IV":        func(k *keystore) { k.Crypto.Cipher.Params.IV = "00" },
		"another length":    func(k *keystore) { k.Crypto.Cipher.Message += "00" },
		"a broken checksum": func(k *keystore) { k.Crypto.Checksum.Message = strings.Repeat("00", 32) },
	} {
		var k keystore
		if err := json.Unmarshal(raw, &k); err != nil {
			t.Fatal(err)
		}
		edit(&k)
		bad, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecryptKey(bad, "pass\u00e9word"); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// The test vectors of EIP-2335: one secret, in a keystore with each of the two ways to
// derive a key.
func TestKeystoresOfTheStandardOpen(t *testing.T) {
	const secret = "0x000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
	password := "\U0001d531\U0001d522\U0001d530\U0001d531\U0001d52d\U0001d51e\U0001d530\U0001d530\U0001d534\U0001d52c\U0001d52f\U0001d521\U0001f511"
	for _, name := range []string{"scrypt", "pbkdf2"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "eip2335-"+name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		k, err := DecryptKey(raw, password)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b := k.Bytes(); hexutil.Encode(b[:]) != secret {
			t.Errorf("%s: %x", name, b)
		}
	}
}

func FuzzDecryptKey(f *testing.F) {
	f.Add([]byte(`{"version":4,"crypto":{"kdf":{"function":"pbkdf2","params":{"dklen":32,"c":1,"prf":"hmac-sha256","salt":"00"}}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var k keystore
		if json.Unmarshal(raw, &k) == nil && (k.Crypto.KDF.Params.C > 1_000 || k.Crypto.KDF.Params.N > 1_000) {
			return // allowed, and slow on purpose
		}
		if key, err := DecryptKey(raw, "x"); (key == nil) == (err == nil) {
			t.Fatalf("%v, %v", key, err)
		}
	})
}
