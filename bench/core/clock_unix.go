//go:build unix

package core

import (
	"syscall"
	"time"
)

// processorTime is what the process has spent on processors, which other programs on
// the machine change little.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the argument is right
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
