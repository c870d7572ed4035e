//go:build !linux

package bench

import "context"

// react serves connections from one goroutine on Linux only.
func (d *drive) react(context.Context, []*lane) (func(), error) { return nil, nil }
