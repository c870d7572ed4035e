package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// serveGeth is the argument with which this program runs go-ethereum.
const serveGeth = "serve-geth"

// talaria is the name of the node that the others are compared with.
const talaria = "talaria"

// gasLimit of the peers' blocks: no run reaches half of it, so that their base fee
// does not rise.
const gasLimit = 4_000_000_000

// process is a node under measurement.
type process struct {
	url string
	cmd *exec.Cmd
	dir string
	// mark is a file that the node writes when it takes transactions; empty: it does as
	// soon as it answers.
	mark string
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop ends the node and waits for it.
func (p *process) stop() error {
	defer func() { _ = os.RemoveAll(p.dir) }()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- p.cmd.Wait() }()
	select {
	case <-done: // how a peer takes an interrupt is its own business
	case <-time.After(20 * time.Second):
		err := p.cmd.Process.Kill()
		<-done
		return err
	}
	return nil
}

// start runs a node in its best mode under load and waits until it answers.
func start(ctx context.Context, o *options, name string) (*process, error) {
	dir, err := os.MkdirTemp("", "peers-")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	p := &process{url: "http://127.0.0.1:" + strconv.Itoa(o.port), dir: dir}
	at := func(k int) string { return strconv.Itoa(o.port + k) }
	switch name {
	case "anvil":
		p.cmd = exec.Command(o.anvil, "--silent", "--port", at(0), "--block-time", "1", "--gas-limit", strconv.Itoa(gasLimit),
			"--order", "fifo", "--no-request-size-limit", "--transaction-block-keeper", "64")
	case "geth":
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
		p.cmd = exec.Command(self, serveGeth, at(0))
	case talaria:
		p.mark = filepath.Join(dir, "data", "devnet.json")
		p.cmd = exec.Command(o.talaria, "devnet", "--port", at(0), "--l1-port", at(1), "--web-port", at(2), "--metrics-port", at(3),
			"--ingest-port", at(4), "--feed-port", "-1", "--batch-ms", strconv.Itoa(o.batchMs), "--datadir", filepath.Join(dir, "data"), "--log", "error")
	default:
		return nil, fmt.Errorf("no such node: have anvil, geth and talaria")
	}
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start: %w", err), os.RemoveAll(dir))
	}
	if err := p.ready(ctx); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// marked reports whether the node has said that it takes transactions.
func (p *process) marked() bool {
	if p.mark == "" {
		return true
	}
	_, err := os.Stat(p.mark)
	return err == nil
}

// ready waits until the node answers and takes transactions.
func (p *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		body := strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}`)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, body)
		if err != nil {
			return fmt.Errorf("wait for the node: %w", err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			status := resp.StatusCode
			if err := resp.Body.Close(); err == nil && status == http.StatusOK && p.marked() {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the node: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
