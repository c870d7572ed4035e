package da

import "errors"

// Errors by which a caller acts differently.
var (
	// ErrUnavailable means that a server, or enough of several, could not be reached or
	// did not answer in time. Transient.
	ErrUnavailable = errors.New("data availability layer is unavailable")
	// ErrNotFound means that a server says that it does not have the data. Transient:
	// another server may, or this one later.
	ErrNotFound = errors.New("data not found")
	// ErrMismatch means that a server gave data that the commitment does not name.
	// Transient: another server may do better.
	ErrMismatch = errors.New("data contradicts its commitment")
	// ErrMalformed means that a commitment, or the data that it names, is not what an
	// encoder writes. Every node finds the same. Permanent.
	ErrMalformed = errors.New("malformed commitment")
	// ErrTooLarge means that the data exceeds what the layer takes at once. Permanent:
	// put less.
	ErrTooLarge = errors.New("data exceeds the layer's limit")
	// ErrRefused means that a server understood and will not do it. Permanent: change the
	// configuration, or write elsewhere.
	ErrRefused = errors.New("data availability layer refuses")
)

// Transient reports whether the same call may succeed later or with another server. An
// error that this package does not know is taken for transient: waiting loses nothing.
func Transient(err error) bool {
	if err == nil {
		return false
	}
	for _, permanent := range []error{ErrMalformed, ErrTooLarge, ErrRefused} {
		if errors.Is(err, permanent) {
			return false
		}
	}
	return true
}
