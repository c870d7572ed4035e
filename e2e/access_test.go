package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/talaria-l2/talaria/sdk/ingest"
)

// The error codes of an access that is refused, docs/rpc.md.
const (
	codeUnauthorized = -32001
	codeLimit        = -32005
)

// TestAccessByKeyAndToken: the node serves only who has a key, each at his rate, and the
// operator's methods only to who holds the secret.
func TestAccessByKeyAndToken(t *testing.T) {
	dir := t.TempDir()
	keys, secret := filepath.Join(dir, "keys"), []byte("0123456789abcdef0123456789abcdef")
	const fast, slow, late = "key-of-a-fast-customer", "key-of-a-slow-customer", "key-that-is-added-later"
	fastHash := sha256.Sum256([]byte(fast))
	// The slow one's bucket needs more than a quarter of an hour to fill: no test takes so long.
	lines := fmt.Sprintf("# name key rate burst\nfast sha256:%x 0 0\n", fastHash)
	writeFile(t, keys, lines+"slow "+slow+" 1 1000\n")
	jwt := filepath.Join(dir, "jwt")
	writeFile(t, jwt, fmt.Sprintf("0x%x\n", secret))
	d := startDevnet(t, filepath.Join(dir, "chain"), "--rpc-keys", keys, "--rpc-require-key", "--rpc-jwt-secret", jwt)
	ask := func(path, body string, headers ...string) (int, answer) {
		t.Helper()
		return postAs(t, d.L2.HTTPURL+path, body, headers...)
	}
	const number = `{"jsonrpc":"2.0","id":7,"method":"eth_blockNumber","params":[]}`

	for _, c := range []struct {
		name, path string
		headers    []string
		want       int
	}{
		{"without a key", "", nil, http.StatusUnauthorized},
		{"with an unknown key", "", []string{"X-Api-Key", "key-of-nobody-at-all"}, http.StatusUnauthorized},
		{"with an unknown key in the path", "/v1/key-of-nobody-at-all", nil, http.StatusUnauthorized},
		{"with a key in a header", "", []string{"X-Api-Key", fast}, http.StatusOK},
		{"with a key as a bearer", "", []string{"Authorization", "Bearer " + fast}, http.StatusOK},
		{"with a key in the path", "/v1/" + fast, nil, http.StatusOK},
	} {
		status, a := ask(c.path, number, c.headers...)
		if status != c.want || (status == http.StatusOK) != (a.Error == nil) {
			t.Errorf("%s: status %d, %s; want %d", c.name, status, a, c.want)
		}
		if a.Error != nil && a.Error.Code != codeUnauthorized {
			t.Errorf("%s: %s, want code %d", c.name, a, codeUnauthorized)
		}
	}

	for key, want := range map[string]ingest.HelloStatus{"": ingest.HelloKey, "key-of-nobody-at-all": ingest.HelloKey, fast: ingest.HelloOK} {
		var refused *ingest.HelloError
		switch conn, err := ingest.Dial(t.Context(), d.Ingest, ingest.Options{Key: key}); {
		case err == nil:
			_ = conn.Close()
			if want != ingest.HelloOK {
				t.Errorf("raw ingest takes the key %q", key)
			}
		case !errors.As(err, &refused) || refused.Hello.Status != want:
			t.Errorf("raw ingest with the key %q: %v, want %v", key, err, want)
		}
	}

	wide := "[" + strings.Repeat(number+",", 899) + number + "]"
	if status, _ := ask("/v1/"+slow, wide); status != http.StatusOK {
		t.Errorf("900 units of 1000: status %d", status)
	}
	if status, a := ask("/v1/"+slow, wide); status != http.StatusTooManyRequests || a.Error == nil || a.Error.Code != codeLimit || !strings.Contains(a.Error.Message, "key slow") {
		t.Errorf("900 units more: status %d, %s; want 429 with %d that names the key", status, a, codeLimit)
	}
	if status, a := ask("/v1/"+slow, number); status != http.StatusOK {
		t.Errorf("a request for which there are units: status %d, %s", status, a)
	}
	if status, _ := ask("/v1/"+fast, wide); status != http.StatusOK {
		t.Errorf("another key: status %d", status)
	}
	checkKeyedSockets(t, d.L2.WSURL, fast, slow)

	const info, reload = `{"jsonrpc":"2.0","id":1,"method":"admin_nodeInfo","params":[]}`, `{"jsonrpc":"2.0","id":1,"method":"admin_reloadKeys","params":[]}`
	now := time.Now().Unix()
	for _, c := range []struct{ name, bearer string }{
		{"a key only", fast},
		{"a token signed by somebody else", token([]byte("another secret of 32 bytes......"), now)},
		{"an old token", token(secret, now-600)},
	} {
		if _, a := ask("", info, "Authorization", "Bearer "+c.bearer, "X-Api-Key", fast); a.Error == nil || a.Error.Code != codeUnauthorized {
			t.Errorf("admin method with %s: %s", c.name, a)
		}
	}
	operator := []string{"Authorization", "Bearer " + token(secret, time.Now().Unix())}
	if status, a := ask("", info, operator...); status != http.StatusOK || !strings.Contains(string(a.Result), hexutil.EncodeUint64(d.L2.ChainID)) {
		t.Errorf("admin method of the operator: status %d, %s", status, a)
	}

	// The operator replaces a key while the node runs.
	writeFile(t, keys, lines+"late "+late+" 0 0\n")
	if _, a := ask("", reload, operator...); string(a.Result) != `"0x2"` {
		t.Errorf("admin_reloadKeys: %s", a)
	}
	if status, _ := ask("/v1/"+late, number); status != http.StatusOK {
		t.Errorf("a key that was added: status %d", status)
	}
	if status, _ := ask("/v1/"+slow, number); status != http.StatusUnauthorized {
		t.Errorf("a key that was taken away: status %d", status)
	}
	if err := d.interrupt(); err != nil {
		t.Error(err)
	}
}

// checkKeyedSockets: a WebSocket has the key that it was opened with.
func checkKeyedSockets(t *testing.T, url, fast, slow string) {
	t.Helper()
	if c, err := rpc.DialContext(t.Context(), url); err == nil {
		c.Close()
		t.Error("a WebSocket without a key is served")
	}
	if c, err := rpc.DialContext(t.Context(), url+"/v1/key-of-nobody-at-all"); err == nil {
		c.Close()
		t.Error("a WebSocket with an unknown key is served")
	}
	byHeader, err := rpc.DialOptions(t.Context(), url, rpc.WithHeader("X-Api-Key", fast))
	if err != nil {
		t.Fatal(err)
	}
	defer byHeader.Close()
	heads := make(chan json.RawMessage, 16)
	sub, err := byHeader.EthSubscribe(t.Context(), heads, "newHeads")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	select {
	case <-heads:
	case err := <-sub.Err():
		t.Errorf("newHeads with a key: %v", err)
	case <-time.After(startTimeout):
		t.Error("no head arrived over a WebSocket with a key")
	}
	byPath, err := rpc.DialContext(t.Context(), url+"/v1/"+slow)
	if err != nil {
		t.Fatal(err)
	}
	defer byPath.Close()
	var id hexutil.Uint64
	if err := byPath.CallContext(t.Context(), &id, "eth_chainId"); err != nil {
		t.Errorf("a WebSocket with units left: %v", err)
	}
	var limited rpc.Error
	for range 2000 { // a unit comes back every second
		if err = byPath.CallContext(t.Context(), &id, "eth_chainId"); err != nil {
			break
		}
	}
	if !errors.As(err, &limited) || limited.ErrorCode() != codeLimit {
		t.Errorf("a WebSocket over its rate: %v, want %d", err, codeLimit)
	}
}

// answer is a JSON-RPC answer.
type answer struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func (a answer) String() string {
	if a.Error != nil {
		return fmt.Sprintf("error %d %q", a.Error.Code, a.Error.Message)
	}
	return string(a.Result)
}

// postAs sends a body with headers and returns the status and, unless it is a batch, the answer.
func postAs(t *testing.T, url, body string, headers ...string) (int, answer) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if len(raw) > 0 && raw[0] == '{' {
		if err := json.Unmarshal(raw, &a); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
	}
	return resp.StatusCode, a
}

// token is a JSON Web Token as consensus clients sign it for the Engine API.
func token(secret []byte, issued int64) string {
	part := base64.RawURLEncoding.EncodeToString
	signed := part([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + part(fmt.Appendf(nil, `{"iat":%d}`, issued))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + part(mac.Sum(nil))
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
