package e2e

import (
	"slices"
	"time"
)

// quantiles sorts durations and tells their quantiles, 0..1. Of none they are 0.
func quantiles(all []time.Duration) func(q float64) time.Duration {
	slices.Sort(all)
	return func(q float64) time.Duration {
		if len(all) == 0 {
			return 0
		}
		return all[min(len(all)-1, int(q*float64(len(all))))]
	}
}
