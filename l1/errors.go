package l1

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/rpc"
)

// Errors by which a caller acts differently.
var (
	// ErrNonceGap means that a transaction before this one is gone, as after a
	// reorganisation: this one waits for ever. Send it again.
	ErrNonceGap = errors.New("a transaction before it is gone")
	// ErrNotFound means that the server does not have the object (yet).
	ErrNotFound = errors.New("not found on L1")
	// ErrUnavailable means that the server could not be reached or was overloaded, in
	// spite of retries. Try again later.
	ErrUnavailable = errors.New("L1 is unavailable")
	// ErrMismatch means that the server's answer contradicts a hash. Use another server.
	ErrMismatch = errors.New("L1 server contradicts itself")
	// ErrReverted means that a transaction was included and failed, or that its gas
	// could not be estimated because it would fail.
	ErrReverted = errors.New("L1 transaction reverted")
	// ErrNonceTaken means that another transaction of the account has used the nonce:
	// two processes share one key.
	ErrNonceTaken = errors.New("L1 nonce was used by another process")
	// ErrFeeLimit means that inclusion would cost more than SenderOptions allow.
	ErrFeeLimit = errors.New("L1 fees are above the configured limit")
)

// statusError is an HTTP answer of the beacon API other than 200.
type statusError struct {
	code int
	body string
}

func (e *statusError) Error() string { return fmt.Sprintf("HTTP status %d: %s", e.code, e.body) }

// transient reports whether the same request may succeed later.
func transient(err error) bool {
	if errors.Is(err, ethereum.NotFound) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrMismatch) {
		return false
	}
	var he rpc.HTTPError
	if errors.As(err, &he) {
		return retryStatus(he.StatusCode)
	}
	var se *statusError
	if errors.As(err, &se) {
		return retryStatus(se.code)
	}
	var re rpc.Error
	if errors.As(err, &re) {
		// EIP-1474: limit exceeded, resource unavailable; and go-ethereum's answer
		// while it indexes transactions.
		code := re.ErrorCode()
		return code == -32005 || code == -32002 || strings.Contains(re.Error(), "indexing is in progress")
	}
	return true // the connection failed
}

func retryStatus(code int) bool {
	return code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500
}

// pauses between attempts.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = 3 * time.Second
)

// retry calls f until it succeeds, fails for good, has failed c.attempts times, or ctx
// ends. what names the operation and its subject.
func (c *Client) retry(ctx context.Context, what string, f func(context.Context) error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		callCtx, cancel := context.WithTimeout(ctx, c.timeout)
		err := f(callCtx)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case errors.Is(err, ethereum.NotFound):
			return fmt.Errorf("%s: %w", what, ErrNotFound)
		case !transient(err):
			return fmt.Errorf("%s: %w", what, err)
		case attempt >= c.attempts:
			return fmt.Errorf("%s: %w after %d attempts: %w", what, ErrUnavailable, attempt, err)
		}
		if err := sleep(ctx, pause/2+rand.N(pause)); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		pause = min(2*pause, maxPause)
	}
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
