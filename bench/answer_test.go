package bench

import (
	"strings"
	"testing"
)

func TestAnAnswerIsTheSameHoweverItIsCut(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, text := range map[string]string{
		"a length":             "HTTP/1.1 200 OK\r\nContent-Length: 300\r\nDate: now\r\n\r\n" + long,
		"chunks":               "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n12C;a=b\r\n" + long + "\r\n0\r\n\r\n",
		"several chunks":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc8\r\n" + long[:200] + "\r\n64\r\n" + long[:100] + "\r\n0\r\n\r\n",
		"another status, 1.0":  "HTTP/1.0 503 Busy\r\ncontent-length:300\r\n\r\n" + long,
		"fields without sense": "HTTP/1.1 200 OK\r\nsome-other-fiel: 1\r\ncontent-length: 300\r\n\r\n" + long,
	} {
		t.Run(name, func(t *testing.T) {
			for cut := range len(text) {
				if a, err := parseAnswer([]byte(text[:cut]), nil); err != nil || a.size != 0 || a.need > len(text) {
					t.Fatalf("of %d bytes: %+v, %v", cut, a, err)
				}
			}
			a, err := parseAnswer([]byte(text+"HTTP/1.1 200 OK\r\n"), nil)
			if err != nil || a.size != len(text) || string(a.body) != long {
				t.Fatalf("%+v, %v", a, err)
			}
			if want := 200; a.status != want && !strings.Contains(text, "503") || strings.Contains(text, "503") && a.status != 503 {
				t.Fatalf("status %d", a.status)
			}
		})
	}
}

func TestWhatIsNoAnswerIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"another protocol":     "SMTP/1.1 200 OK\r\n\r\n",
		"no status":            "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
		"no length":            "HTTP/1.1 200 OK\r\n\r\n",
		"a length of words":    "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
		"too long":             "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
		"a head without end":   "HTTP/1.1 200 OK\r\n" + strings.Repeat("a: b\r\n", 20_000),
		"a chunk of words":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n",
		"a chunk without end":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n",
		"a trailer at the end": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na: b\r\n\r\n",
	} {
		if a, err := parseAnswer([]byte(text), nil); err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := parseAnswer(text, nil)
		if err == nil && (a.size > len(text) || len(a.body) > a.size) {
			t.Fatalf("%+v of %d bytes", a, len(text))
		}
	})
}
