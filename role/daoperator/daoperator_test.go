package daoperator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

// admit makes these the newest committee.
func (w *layer1) admit(members []Member) {
	w.t.Helper()
	if err := Admit(w.t.Context(), w.client, w.sender, w.registry, members); err != nil {
		w.t.Fatal(err)
	}
}

// local opens a committee in this process, and closes it in the end.
func local(t *testing.T, dir string, operators int) *Local {
	t.Helper()
	l, err := ListenLocal(dir, operators)
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

func start(t *testing.T, l *Local, source committee.Source) {
	t.Helper()
	if err := l.Start(source, quiet()); err != nil {
		t.Fatal(err)
	}
}

func (w *layer1) source() *committee.Registry {
	w.t.Helper()
	r, err := committee.NewRegistry(committee.RegistryOptions{
		L1: w.client.Eth(), Verifier: w.verifier, L1ChainID: w.client.ChainID().Uint64(), L2ChainID: l2ChainID,
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
	here := local(t, t.TempDir(), 7)
	w.admit(here.Members())
	start(t, here, w.source())
	disperser := committee.NewDisperser(committee.DisperserOptions{Source: w.source(), Linger: time.Minute, Timeout: time.Minute})
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
		if err := here.Operators()[i].Close(); err != nil {
			t.Fatal(err)
		}
	}
	retriever := committee.NewRetriever(committee.RetrieverOptions{Source: w.source()})
	if got, err := retriever.Get(t.Context(), found); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}

	forged := *cert
	forged.Signers = []byte{0x3f}
	if _, err := w.sender.Send(t.Context(), l1.Request{To: &w.verifier, Data: da.CertifyCall(&forged)}); !errors.Is(err, l1.ErrReverted) {
		t.Fatalf("a forged certificate on L1: %v", err)
	}
	// Another epoch, of one that stays and one that comes: the old committee is still known.
	more := append(here.Members()[:1:1], local(t, t.TempDir(), 1).Members()...)
	w.admit(more)
	source := w.source()
	first, err := source.Committee(t.Context(), 1)
	if err != nil || len(first.Operators) != 7 || first.Find(here.Members()[0].Key.Public()) != 0 || first.Threshold != committee.DefaultThreshold {
		t.Fatalf("epoch 1: %+v, %v", first, err)
	}
	second, err := source.Latest(t.Context())
	if err != nil || second.Epoch != 2 || len(second.Operators) != 2 || second.Find(more[0].Key.Public()) < 0 || second.Operators[second.Find(more[1].Key.Public())].URL != more[1].URL {
		t.Fatalf("epoch 2: %+v, %v", second, err)
	}
	if _, err := source.Committee(t.Context(), 3); !errors.Is(err, da.ErrNotFound) {
		t.Fatalf("epoch 3: %v", err)
	}
	// Who moves is found there at once, in the same epoch; who stays costs nothing.
	more[1].URL = "http://127.0.0.1:1"
	w.admit(more)
	nonce, err := w.client.Nonce(t.Context(), w.sender.Address())
	if err != nil {
		t.Fatal(err)
	}
	w.admit(more)
	if again, err := w.client.Nonce(t.Context(), w.sender.Address()); err != nil || again != nonce {
		t.Fatalf("admitting the same again took %d transactions, %v", again-nonce, err)
	}
	third, err := w.source().Latest(t.Context())
	if err != nil || third.Epoch != 2 || third.Operators[third.Find(more[1].Key.Public())].URL != more[1].URL {
		t.Fatalf("after a move: %+v, %v", third, err)
	}
}

func TestALocalCommitteeKeepsItsKeysDataAndPlace(t *testing.T) {
	dir := t.TempDir()
	members := &committee.Committee{Epoch: 1}
	open := func() *Local {
		l := local(t, dir, 2)
		for i, m := range l.Members() {
			o := committee.Operator{Key: m.Key.Public(), Weight: 1, URL: m.URL}
			switch {
			case len(members.Operators) <= i:
				members.Operators = append(members.Operators, o)
			case members.Operators[i].URL != o.URL || !members.Operators[i].Key.Equal(o.Key):
				t.Fatalf("operator %d is another one at %s, was at %s", i, o.URL, members.Operators[i].URL)
			}
		}
		start(t, l, committee.Fixed{Only: members})
		return l
	}
	l := open()
	disperser := committee.NewDisperser(committee.DisperserOptions{Source: committee.Fixed{Only: members}, Threshold: 10_000, Timeout: time.Minute})
	cert, err := disperser.Put(context.Background(), []byte("kept"))
	disperser.Close()
	if err = errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	l = open()
	got, err := committee.NewRetriever(committee.RetrieverOptions{Source: committee.Fixed{Only: members}}).Get(context.Background(), cert)
	if err != nil || string(got) != "kept" {
		t.Fatalf("after a restart: %q, %v", got, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// Somebody else is there now.
	taken, err := net.Listen("tcp", strings.TrimPrefix(members.Operators[0].URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if moved := local(t, dir, 2).Members(); moved[0].URL == members.Operators[0].URL || moved[1].URL != members.Operators[1].URL {
		t.Fatalf("at %s and %s", moved[0].URL, moved[1].URL)
	}
	if n := LocalOperators(dir); n != 2 {
		t.Fatalf("the directory has %d operators", n)
	}
	for _, n := range []int{0, da.MaxOperators + 1} {
		if _, err := ListenLocal(dir, n); err == nil {
			t.Fatalf("a committee of %d", n)
		}
	}
}

func TestWhatHasExpiredIsSweptAfterTheRetention(t *testing.T) {
	dir := t.TempDir()
	key := local(t, dir, 1).Members()[0].Key
	members := &committee.Committee{Epoch: 1, Operators: []committee.Operator{{Key: key.Public(), Weight: 1}}}
	start := func(retention time.Duration) *Operator {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		o, err := Start(Options{Dir: dir, Key: key, Source: committee.Fixed{Only: members}, Listener: listener, Retention: retention, Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		members.Operators[0].URL = o.URL()
		return o
	}
	o := start(0)
	disperser := committee.NewDisperser(committee.DisperserOptions{Source: committee.Fixed{Only: members}, Expiry: time.Second, Timeout: time.Minute})
	_, err := disperser.Put(context.Background(), []byte("soon gone"))
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
	key := local(t, t.TempDir(), 1).Members()[0].Key
	raw, err := EncryptKey(key, "pass\u00e9word\n")
	if err != nil {
		t.Fatal(err)
	}
	// Composed or not, and without control characters: the same password.
	for _, password := range []string{"pass\u00e9word", "passe\u0301word"} {
		if k, err := DecryptKey(raw, password); err != nil || k.Bytes() != key.Bytes() {
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
