package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleLog hands Pebble's messages on; its chatter is debug output.
type pebbleLog struct {
	log   *slog.Logger
	fatal func(error)
}

func (p pebbleLog) logger() *slog.Logger {
	if p.log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return p.log
}

// Infof implements pebble.Logger.
func (p pebbleLog) Infof(format string, args ...any) {
	if l := p.logger(); l.Enabled(context.Background(), slog.LevelDebug) {
		l.Debug("pebble", "msg", fmt.Sprintf(format, args...))
	}
}

// Errorf implements pebble.Logger.
func (p pebbleLog) Errorf(format string, args ...any) {
	p.logger().Error("pebble", "err", fmt.Sprintf(format, args...))
}

// Fatalf implements pebble.Logger; Pebble relies on it not to return.
func (p pebbleLog) Fatalf(format string, args ...any) {
	err := errors.New("database: " + fmt.Sprintf(format, args...))
	if p.fatal != nil {
		p.fatal(err)
	}
	p.logger().Error("database failed; nothing acknowledged is lost (hint: check the disk's space and health, then start again)", "err", err)
	os.Exit(1)
}

// events are what ends the process. Pebble would try again for ever: better stop at the
// first sign, while all that was acknowledged is in the log.
func (p pebbleLog) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) { p.Fatalf("%v", err) },
		DataCorruption:  func(info pebble.DataCorruptionInfo) { p.Fatalf("%s is damaged: %v", info.Path, info.Details) },
	}
}

// Eventf implements pebble.LoggerAndTracer.
func (pebbleLog) Eventf(context.Context, string, ...any) {}

// IsTracingEnabled implements pebble.LoggerAndTracer.
func (pebbleLog) IsTracingEnabled(context.Context) bool { return false }
