package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selfSigned writes a certificate of 127.0.0.1, which is its own authority, and its key.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "feed"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: raw}, key: {Type: "PRIVATE KEY", Bytes: pkcs}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestAReplicaReadsAFeedOverTLS: a relay that speaks TLS, and a replica that is told whom
// to trust; told another, or nobody, it does not begin.
func TestAReplicaReadsAFeedOverTLS(t *testing.T) {
	d := sharedDevnet(t)
	cert, key := selfSigned(t)
	other, _ := selfSigned(t)
	var relay struct {
		Feed string `json:"feedUrl"`
	}
	startRole(t, &relay, "relay", "--datadir", t.TempDir(), "--chain-id", fmt.Sprint(d.L2.ChainID), "--from", d.Feed, "--feed-port", "0",
		"--feed-tls-cert", cert, "--feed-tls-key", key)
	if !strings.HasPrefix(relay.Feed, "tls://") {
		t.Fatalf("the relay serves %s", relay.Feed)
	}
	args := []string{"replica", "--genesis", d.Genesis, "--datadir", t.TempDir(), "--port", "0", "--feed-url", relay.Feed}
	for name, more := range map[string][]string{"another authority": {"--feed-tls-ca", other}, "the machine's": nil} {
		if code, stderr := exitOf(t, append(args, more...)...); code != 1 || !strings.Contains(stderr, "unknown authority") {
			t.Errorf("%s: exit code %d: %s", name, code, stderr)
		}
	}
	leader := dialEth(t, d.L2.HTTPURL).Client()
	last := sealedHead(t, leader)
	var info struct {
		L2 L2Info `json:"l2"`
	}
	startRole(t, &info, append(args, "--feed-tls-ca", cert)...)
	replica := dialEth(t, info.L2.HTTPURL).Client()
	eventually(t, catchUpTimeout, "the replica has the chain", func() error {
		if head := sealedHead(t, replica); head < last {
			return fmt.Errorf("it is at %d of %d", head, last)
		}
		return nil
	})
	want, err := blockHash(t.Context(), leader, last)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := blockHash(t.Context(), replica, last); err != nil || got != want {
		t.Errorf("block %d is %s, the sequencer's is %s: %v", last, got, want, err)
	}
}

// catchUpTimeout bounds how long a replica on the same machine takes to catch up.
const catchUpTimeout = time.Minute
