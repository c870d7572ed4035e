package rpc

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func keyFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func loadKeys(t testing.TB, text string) *Keys {
	t.Helper()
	k, err := LoadKeys(keyFile(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// postAs posts with a header and to a path.
func postAs(t testing.TB, addr, path, header, value, body string) (int, reply) {
	t.Helper()
	req, err := http.NewRequest("POST", "http://"+addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != "" {
		req.Header.Set(header, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var r reply
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return res.StatusCode, r
}

const (
	aliceKey = "alice-0123456789abcdef"
	bobKey   = "bob-0123456789abcdef"
)

func TestKeysAreFoundInAllTheirPlaces(t *testing.T) {
	bob := sha256.Sum256([]byte(bobKey))
	keys := loadKeys(t, fmt.Sprintf("# name key rate burst\n\nalice %s 0 0\nbob sha256:%x 0 0\n", aliceKey, bob))
	_, addr := serve(t, newFake(t), Options{Keys: keys, RequireKey: true})
	chain := rpcBody(1, "eth_chainId", "[]")
	for name, tc := range map[string]struct {
		path, header, value string
		status              int
	}{
		"as X-Api-Key":      {"/", "X-Api-Key", aliceKey, 200},
		"as bearer":         {"/", "Authorization", "Bearer " + bobKey, 200},
		"in the path":       {"/v1/" + bobKey, "", "", 200},
		"unknown":           {"/", "X-Api-Key", aliceKey + "x", 401},
		"unknown, path":     {"/v1/" + aliceKey + "x", "", "", 401},
		"none":              {"/", "", "", 401},
		"of another scheme": {"/", "Authorization", "Basic " + aliceKey, 401},
		"too long":          {"/", "X-Api-Key", strings.Repeat("x", 1000), 401},
	} {
		t.Run(name, func(t *testing.T) {
			status, r := postAs(t, addr, tc.path, tc.header, tc.value, chain)
			if status != tc.status || (r.Error == nil) != (status == 200) || r.Error != nil && r.Error.Code != CodeUnauthorized {
				t.Fatalf("%d %+v", status, r)
			}
		})
	}
	_, ctx := dial(t, mustServe(t))
	if _, res, err := websocket.Dial(ctx, "ws://"+addr, nil); err == nil || res == nil || res.StatusCode != 401 {
		t.Errorf("WebSocket without a key: %v", err)
	}
	ws, _, err := websocket.Dial(ctx, "ws://"+addr+"/v1/"+aliceKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	ws.CloseNow()
}

func TestConnectionsThatAreNotHTTPAreAuthorizedByTheSameKeys(t *testing.T) {
	keys := loadKeys(t, "alice "+aliceKey+" 0 0\n")
	for name, tc := range map[string]struct {
		options Options
		key     string
		caller  string
		ok      bool
	}{
		"no keys, none sent":                {Options{}, "", "", true},
		"no keys, one sent":                 {Options{}, aliceKey, "", true},
		"a known key":                       {Options{Keys: keys, RequireKey: true}, aliceKey, "alice", true},
		"an unknown key":                    {Options{Keys: keys}, bobKey, "", false},
		"none sent where one is required":   {Options{Keys: keys, RequireKey: true}, "", "", false},
		"none sent where none is required":  {Options{Keys: keys}, "", "", true},
		"a key that is longer than any can": {Options{Keys: keys}, strings.Repeat("x", 500), "", false},
	} {
		if sender, err := tc.options.Authorize(tc.key); sender.Name != tc.caller || (err == nil) != tc.ok || sender.Book != nil {
			t.Errorf("%s: %+v, %v", name, sender, err)
		}
	}
}

func TestAConnectionThatIsNotHTTPWaitsForTheRateOfItsKey(t *testing.T) {
	o := Options{Keys: loadKeys(t, "alice "+aliceKey+" 100 50\n")}
	alice, err := o.Authorize(aliceKey)
	if err != nil {
		t.Fatal(err)
	}
	again, err := o.Authorize(aliceKey)
	if err != nil {
		t.Fatal(err)
	}
	if d := alice.Book(50); d != 0 {
		t.Errorf("the first 50 wait %v", d)
	}
	if d := again.Book(100); d < 900*time.Millisecond || d > time.Second {
		t.Errorf("100 more, on another connection, wait %v, want 1 s at 100 a second", d)
	}
}

// mustServe is another server, for its context.
func mustServe(t testing.TB) string {
	_, addr := serve(t, newFake(t), Options{})
	return addr
}

func TestKeysAreReadAgain(t *testing.T) {
	path := keyFile(t, "alice "+aliceKey+" 0 0\n")
	keys, err := LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte(strings.Repeat("s", 32))
	_, addr := serve(t, newFake(t), Options{Keys: keys, JWTSecret: secret})
	reload := func() reply {
		_, r := postAs(t, addr, "/", "Authorization", "Bearer "+signToken(secret, `{"alg":"HS256"}`, claims(0)), rpcBody(1, "admin_reloadKeys", "[]"))
		return r
	}
	if err := os.WriteFile(path, []byte("bob "+bobKey+" 0 0\ncarl carl-0123456789abcdef 1 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := reload(); string(r.Result) != `"0x2"` {
		t.Fatalf("%+v", r)
	}
	if status, _ := postAs(t, addr, "/", "X-Api-Key", aliceKey, rpcBody(1, "eth_chainId", "[]")); status != 401 {
		t.Errorf("a key that is gone: %d", status)
	}
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := reload(); r.Error == nil || !strings.Contains(r.Error.Message, "line 1: want: name key rate burst") {
		t.Errorf("%+v", r)
	}
	if status, _ := postAs(t, addr, "/", "X-Api-Key", bobKey, rpcBody(1, "eth_chainId", "[]")); status != 200 {
		t.Errorf("keys are lost with a file that cannot be read: %d", status)
	}
}

func TestAFileOfKeysIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		"a " + aliceKey + " 1":                              "want: name key rate burst",
		"a short 1 1":                                       "16 to 128 characters",
		"a sha256:12 1 1":                                   "64 hex digits",
		"a " + aliceKey + " x 1":                            "rate:",
		"a " + aliceKey + " 1 0":                            "burst:",
		"a " + aliceKey + " 1 1\nb " + aliceKey + " 1 1":    "line 2: name or key comes twice",
		"a " + aliceKey + " 1 1\n\n#\na " + bobKey + " 1 1": "line 4: name or key comes twice",
	} {
		if _, err := LoadKeys(keyFile(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestARateLimitIsToldWithItsNumbers(t *testing.T) {
	keys := loadKeys(t, "alice "+aliceKey+" 1 10\nbob "+bobKey+" 0 0\n")
	_, addr := serve(t, newFake(t), Options{Keys: keys, Rate: 1, RateBurst: 2})
	call := rpcBody(9, "eth_call", "[{}]")
	for i := range 3 { // two calls of 5 units fit a burst of 10
		status, r := postAs(t, addr, "/", "X-Api-Key", aliceKey, call)
		if over := i == 2; (status == 429) != over || over && (r.Error.Code != CodeLimit || string(r.ID) != "9" ||
			!strings.Contains(r.Error.Message, "rate limit of key alice: 1 cost units a second, 10 at once; this costs 5: retry in ") ||
			!strings.Contains(string(r.Error.Data), "retryAfterMillis")) {
			t.Fatalf("request %d: %d %+v", i, status, r.Error)
		}
	}
	for range 20 {
		if status, r := postAs(t, addr, "/", "X-Api-Key", bobKey, call); status != 200 {
			t.Fatalf("a key without a limit: %d %+v", status, r.Error)
		}
	}
	// Without a key the address is limited, over all its connections.
	ws, ctx := dial(t, addr)
	for range 2 {
		if r := roundTrip(t, ctx, ws, "eth_chainId", "[]"); r.Error != nil {
			t.Fatalf("%+v", r.Error)
		}
	}
	if r := roundTrip(t, ctx, ws, "eth_chainId", "[]"); r.Error == nil || r.Error.Code != CodeLimit || string(r.ID) != "1" {
		t.Fatalf("%+v", r)
	}
	if status, _ := postAs(t, addr, "/", "", "", rpcBody(1, "eth_chainId", "[]")); status != 429 {
		t.Fatalf("another connection of the address: %d", status)
	}
}

func TestABucketFillsWithTime(t *testing.T) {
	b := new(bucket)
	b.limit("x", 10, 20)
	now := int64(time.Hour)
	for _, step := range []struct {
		after time.Duration
		cost  int
		ok    bool
	}{
		{0, 20, true}, {0, 1, false}, {90 * time.Millisecond, 1, false}, {10 * time.Millisecond, 1, true},
		{time.Hour, 21, true}, // more than the bucket holds, when it is full
		{100 * time.Millisecond, 1, false}, {100 * time.Millisecond, 1, true},
	} {
		now += int64(step.after)
		if err := b.take(step.cost, now); (err == nil) != step.ok {
			t.Fatalf("%+v: %v", step, err)
		}
	}
	if b.full(now) || !b.full(now+int64(time.Hour)) {
		t.Error("full at the wrong time")
	}
}

func signToken(secret []byte, header, payload string) string {
	enc := base64.RawURLEncoding.EncodeToString
	signed := enc([]byte(header)) + "." + enc([]byte(payload))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + enc(mac.Sum(nil))
}

func claims(age time.Duration) string {
	return fmt.Sprintf(`{"iat":%d}`, time.Now().Add(-age).Unix())
}

func TestOnlyTheOperatorReachesAdminMethods(t *testing.T) {
	secret, other := []byte(strings.Repeat("s", 32)), []byte(strings.Repeat("o", 32))
	_, addr := serve(t, newFake(t), Options{JWTSecret: secret, MaxBatchItems: 77})
	const hs256 = `{"alg":"HS256","typ":"JWT"}`
	for name, tc := range map[string]struct{ token, want string }{
		"no token":          {"", "there was none"},
		"another secret":    {signToken(other, hs256, claims(0)), "not signed with the node's secret"},
		"no algorithm":      {signToken(secret, `{"alg":"none"}`, claims(0)), "alg HS256"},
		"an old token":      {signToken(secret, hs256, claims(2*time.Minute)), "iat is 1"},
		"a token to come":   {signToken(secret, hs256, claims(-2*time.Minute)), "iat is -1"},
		"no time":           {signToken(secret, hs256, `{}`), "no iat"},
		"an expired token":  {signToken(secret, hs256, fmt.Sprintf(`{"iat":%d,"exp":1}`, time.Now().Unix())), "expired"},
		"a token cut short": {signToken(secret, hs256, claims(0))[:80], ""},
		"a good token":      {signToken(secret, hs256, claims(0)), "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			header := ""
			if tc.token != "" {
				header = "Authorization"
			}
			status, r := postAs(t, addr, "/", header, "Bearer "+tc.token, rpcBody(4, "admin_rpcLimits", "[]"))
			if tc.want == "ok" {
				if status != 200 || !strings.Contains(string(r.Result), `"maxBatchItems":77`) {
					t.Fatalf("%d %s %+v", status, r.Result, r.Error)
				}
				return
			}
			if status != 401 || r.Error == nil || r.Error.Code != CodeUnauthorized || !strings.Contains(r.Error.Message, tc.want) || !strings.Contains(r.Error.Message, "--rpc-jwt-secret") {
				t.Fatalf("%d %+v", status, r.Error)
			}
		})
	}
	if _, r := postAs(t, addr, "/", "Authorization", "Bearer "+signToken(secret, hs256, claims(0)), rpcBody(4, "admin_nodeInfo", "[]")); !strings.Contains(string(r.Result), `"chainId":"0x1cf3"`) {
		t.Fatalf("%+v", r)
	}
	if status, _ := postAs(t, addr, "/", "", "", rpcBody(1, "eth_chainId", "[]")); status != 200 {
		t.Fatal("others need a token too")
	}
}
