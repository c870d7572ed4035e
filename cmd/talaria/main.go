package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"
)

// version is set by the linker.
var version = "unknown"

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	stopCollecting := func() {}
	if os.Getenv("GOGC") == "" {
		stopCollecting = collectEarly()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	stopCollecting()
	os.Exit(code)
}

// run is main with its surroundings passed in; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := root(stdout, stderr).Run(ctx, args)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "talaria:", oneLine(err))
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailure
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func root(stdout, stderr io.Writer) *cli.Command {
	onUsage := func(_ context.Context, c *cli.Command, err error, _ bool) error {
		return usagef("%w (%s --help lists what is allowed)", err, c.FullName())
	}
	app := &cli.Command{
		Name: "talaria", Usage: "a real-time Ethereum layer 2", Version: version,
		Writer: stdout, ErrWriter: stderr, OnUsageError: onUsage,
		ExitErrHandler:  func(context.Context, *cli.Command, error) {},
		HideHelpCommand: true,
		Commands:        []*cli.Command{devnetCommand(), l1Command(), genesisCommand(), keyCommand(), sequencerCommand(), relayCommand(), batcherCommand(), replicaCommand(), proposerCommand(), validatorCommand(), benchCommand(), bridgeCommand(), daCommand(), daOperatorCommand(), daServerCommand(), versionCommand()},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usagef("%q is not a command (talaria --help lists them)", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, c := range app.Commands {
		dress(c, onUsage)
	}
	return app
}

// dress gives a command and those below it the same answers to mistakes.
func dress(c *cli.Command, onUsage cli.OnUsageErrorFunc) {
	c.OnUsageError = onUsage
	c.HideHelpCommand = true
	action := c.Action
	c.Action = func(ctx context.Context, cmd *cli.Command) error {
		if cmd.Args().Present() && cmd.ArgsUsage == "" {
			return usagef("%s takes no argument %q (%s --help lists what is allowed)", cmd.Name, cmd.Args().First(), cmd.FullName())
		}
		return action(ctx, cmd)
	}
	for _, sub := range c.Commands {
		dress(sub, onUsage)
	}
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version",
		Action: func(_ context.Context, c *cli.Command) error {
			_, err := fmt.Fprintln(c.Root().Writer, "talaria", version)
			return err
		},
	}
}

// logger writes to stderr at the level of the flag.
func logger(c *cli.Command) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log"))); err != nil {
		return nil, usagef("--log %q: allowed are debug, info, warn and error", c.String("log"))
	}
	return slog.New(slog.NewTextHandler(c.Root().ErrWriter, &slog.HandlerOptions{Level: level})), nil
}

func logFlag() cli.Flag {
	return &cli.StringFlag{Name: "log", Value: "warn", Usage: "what is logged to stderr: debug, info, warn or error", Sources: cli.EnvVars("TALARIA_LOG")}
}

// port reads a port flag.
func port(c *cli.Command, name string) (int, error) {
	p := c.Int(name)
	if p < 0 || p > 65535 {
		return 0, usagef("--%s %d: allowed is 0 (any free port) to 65535", name, p)
	}
	return int(p), nil
}
