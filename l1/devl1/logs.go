package devl1

import (
	"context"
	"log/slog"

	gethlog "github.com/ethereum/go-ethereum/log"
)

// routeLogs sends go-ethereum's log, which is one per process, to logger, or nowhere
// when logger is nil. Only errors pass, and warnings where logger shows debugging:
// go-ethereum warns of what an L1 without peers is meant to be.
func routeLogs(logger *slog.Logger) gethlog.Logger {
	h := slog.Handler(slog.DiscardHandler)
	if logger != nil {
		h = warnings{logger.Handler()}
	}
	l := detached{gethlog.NewLogger(h)}
	gethlog.SetDefault(l)
	return l
}

// detached hides the logger's concrete type, for which gethlog.SetDefault would also
// replace slog's default logger.
type detached struct{ gethlog.Logger }

// warnings passes errors, and warnings when its handler also takes debug records.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelError && w.Handler.Enabled(ctx, l) || l >= slog.LevelWarn && w.Handler.Enabled(ctx, slog.LevelDebug)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
