//go:build !unix

package core

import "time"

var started = time.Now()

// processorTime is elapsed time, where processor time is not to be had.
func processorTime() time.Duration { return time.Since(started) }
