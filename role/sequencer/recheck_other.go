//go:build !linux

package sequencer

import "time"

// threadTime is not known here.
func threadTime() time.Duration { return 0 }
