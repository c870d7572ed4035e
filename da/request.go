package da

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// NewHTTPClient makes a client that follows no redirects: servers are not followed to
// where they point.
func NewHTTPClient() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Request sends a request with the headers, which may be nil, and reads an answer of at
// most limit bytes. Its errors wrap those of this package, except that a caller who gave
// up hears context.Canceled.
func Request(ctx context.Context, client *http.Client, method, url string, header http.Header, body []byte, limit int) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if header != nil {
		req.Header = header
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, unavailable(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 200))
		return nil, fmt.Errorf("%w: HTTP status %d: %s", statusError(res.StatusCode), res.StatusCode, strings.TrimSpace(string(text)))
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, int64(limit)+1))
	if err != nil {
		return nil, unavailable(err)
	}
	if len(raw) > limit {
		return nil, fmt.Errorf("%w: the answer exceeds %d bytes", ErrMismatch, limit)
	}
	return raw, nil
}

// unavailable says that there was no whole answer.
func unavailable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

func statusError(code int) error {
	switch {
	case code == http.StatusNotFound:
		return ErrNotFound
	case code == http.StatusRequestEntityTooLarge:
		return ErrTooLarge
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		return ErrUnavailable
	}
	return ErrRefused
}
