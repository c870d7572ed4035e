package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/committee"
	"github.com/talaria-l2/talaria/role/daaudit"
)

// certificateFlags say which certificates are meant, and how often.
func certificateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "certificates", Usage: "certificates in hexadecimal, with commas between (default: those that the verifier on L1 announced)"},
		&cli.Uint64Flag{Name: "from-block", Usage: "first L1 block to look for certificates"},
		&cli.Uint64Flag{Name: "to-block", Usage: "last L1 block to look for certificates; 0: the newest"},
		&cli.DurationFlag{Name: "every", Usage: "go on and ask again so often, about what L1 announces meanwhile, such as 1m; 0: once"},
		&cli.BoolFlag{Name: "json", Usage: "print lines of JSON", Sources: cli.EnvVars("TALARIA_JSON")},
	}
}

func daSampleCommand() *cli.Command {
	return &cli.Command{
		Name: "sample", Usage: "ask for random cells, as light clients do, and say how sure it is that data can be had",
		Flags: slices.Concat([]cli.Flag{
			&cli.IntFlag{Name: "samples", Value: 32, Usage: "cells of each blob, 1..128, of those that signers hold"},
		}, certificateFlags(), committeeFlags()),
		Action: runDASample,
	}
}

func daAuditCommand() *cli.Command {
	return &cli.Command{
		Name: "audit", Usage: "ask each signer for random cells of its own, and say who does not give them",
		Flags: slices.Concat([]cli.Flag{
			&cli.IntFlag{Name: "samples", Value: 4, Usage: "cells of each operator and certificate, 1..8192"},
			&cli.BoolFlag{Name: "all", Usage: "with --json: a line for each answer that is right, too"},
			&cli.BoolFlag{Name: "repair", Usage: "give operators back what they have lost"},
			logFlag(),
		}, certificateFlags(), committeeFlags()),
		Action: runDAAudit,
	}
}

// certified are the certificates that the flags name.
func certified(ctx context.Context, c *cli.Command, at *committeeAt) ([]*da.Certificate, error) {
	var out []*da.Certificate
	if text := c.String("certificates"); text != "" {
		for part := range strings.SplitSeq(text, ",") {
			raw, err := hexutil.Decode(strings.TrimSpace(part))
			if err != nil {
				return nil, usagef("--certificates: %w", err)
			}
			cert, err := da.ParseCertificate(raw)
			if err != nil {
				return nil, usagef("--certificates: %w", err)
			}
			out = append(out, cert)
		}
		return out, nil
	}
	if at.client == nil {
		return nil, usagef("--certificates is required with --committee")
	}
	last := c.Uint64("to-block")
	if last == 0 {
		var err error
		if last, err = at.client.Eth().BlockNumber(ctx); err != nil {
			return nil, fmt.Errorf("read L1's head: %w", err)
		}
	}
	found, err := daaudit.Read(ctx, at.client.Eth(), at.verifier, c.Uint64("from-block"), last)
	for _, f := range found {
		out = append(out, f.Certificate)
	}
	return out, err
}

// every reads --every. Only L1 tells of more certificates.
func every(c *cli.Command, at *committeeAt) (time.Duration, error) {
	d := c.Duration("every")
	switch {
	case d != 0 && d < 100*time.Millisecond:
		return 0, usagef("--every %v: allowed is 100ms and more, and 0", d)
	case d != 0 && (at.client == nil || c.String("certificates") != "" || c.Uint64("to-block") != 0):
		return 0, usagef("--every: only with certificates that L1 announces, without --certificates, --committee and --to-block")
	}
	return d, nil
}

func runDASample(ctx context.Context, c *cli.Command) error {
	if n := c.Int("samples"); n < 1 || n > committee.CellsPerBlob {
		return usagef("--samples %d: allowed is 1..%d", n, committee.CellsPerBlob)
	}
	at, err := committees(ctx, c)
	if err != nil {
		return err
	}
	defer at.close()
	pause, err := every(c, at)
	if err != nil {
		return err
	}
	sampler := committee.NewSampler(committee.SamplerOptions{Source: at.source, Random: rand.Reader})
	if pause != 0 {
		return sampleOn(ctx, c, at, sampler, pause)
	}
	list, err := certified(ctx, c, at)
	if err != nil {
		return err
	}
	missing, err := sampleAll(ctx, c, sampler, list)
	if err == nil && missing > 0 {
		err = fmt.Errorf("samples of %d of %d certificates could not be had", missing, len(list))
	}
	return err
}

// sampleAll samples certificates and prints what came of it.
func sampleAll(ctx context.Context, c *cli.Command, sampler *committee.Sampler, list []*da.Certificate) (missing int, err error) {
	for _, cert := range list {
		result, err := sampler.Sample(ctx, cert, c.Int("samples"))
		if err != nil {
			return missing, err
		}
		verdict := "available"
		if !result.Available {
			missing++
			verdict = "NOT available"
		}
		if c.Bool("json") {
			err = printJSON(c.Root().Writer, result)
		} else {
			_, err = fmt.Fprintf(c.Root().Writer, "%v %s: %d of %d cells had; if it were not, at most %.2g of samplers would say it is\n",
				result.Certificate, verdict, result.Got, result.Got+result.Missed, result.ErrorBound)
		}
		if err != nil {
			return missing, err
		}
	}
	return missing, nil
}

// sampleOn samples what L1 announces, from now on, until ctx ends.
func sampleOn(ctx context.Context, c *cli.Command, at *committeeAt, sampler *committee.Sampler, pause time.Duration) error {
	next := c.Uint64("from-block")
	if !c.IsSet("from-block") {
		head, err := at.client.Eth().BlockNumber(ctx)
		if err != nil {
			return fmt.Errorf("read L1's head: %w", err)
		}
		next = head
	}
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		head, err := at.client.Eth().BlockNumber(ctx)
		if err == nil && head >= next {
			var found []daaudit.Certificate
			found, err = daaudit.Read(ctx, at.client.Eth(), at.verifier, next, head)
			for _, f := range found {
				if err == nil {
					_, err = sampleAll(ctx, c, sampler, []*da.Certificate{f.Certificate})
				}
			}
			if err == nil {
				next = head + 1
			}
		}
		if err != nil && ctx.Err() == nil {
			_, _ = fmt.Fprintln(c.Root().ErrWriter, "talaria: trying again:", oneLine(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func runDAAudit(ctx context.Context, c *cli.Command) error {
	if n := c.Int("samples"); n < 1 || n > 8_192 {
		return usagef("--samples %d: allowed is 1..8192", n)
	}
	log, err := logger(c)
	if err != nil {
		return err
	}
	at, err := committees(ctx, c)
	if err != nil {
		return err
	}
	defer at.close()
	pause, err := every(c, at)
	if err != nil {
		return err
	}
	report := &auditReport{out: c.Root().Writer, json: c.Bool("json"), all: c.Bool("all"), operators: map[int]*tally{}}
	sampler := committee.NewSampler(committee.SamplerOptions{Source: at.source, Random: rand.Reader})
	retriever := committee.NewRetriever(committee.RetrieverOptions{Source: at.source})
	if pause != 0 && c.Bool("repair") {
		return usagef("--repair: only without --every")
	}
	if pause != 0 {
		a := daaudit.Start(daaudit.Options{
			L1: at.client.Eth(), Verifier: at.verifier, Sampler: sampler, Random: rand.Reader,
			Every: pause, Samples: c.Int("samples"), Found: report.add, Log: log,
		})
		<-ctx.Done()
		a.Close()
		return report.end()
	}
	list, err := certified(ctx, c, at)
	if err != nil {
		return err
	}
	for _, cert := range list {
		findings, err := sampler.Audit(ctx, cert, c.Int("samples"))
		if err != nil {
			return err
		}
		var lost []int
		for _, f := range findings {
			report.add(f)
			if f.Result == committee.ResultMissing && !slices.Contains(lost, f.Operator) {
				lost = append(lost, f.Operator)
			}
		}
		if c.Bool("repair") && len(lost) > 0 {
			if err := retriever.Repair(ctx, cert, lost); err != nil {
				return err
			}
		}
	}
	return report.end()
}

// auditReport prints findings, or sums them up.
type auditReport struct {
	out       io.Writer
	json, all bool

	mu         sync.Mutex
	operators  map[int]*tally
	asked, bad int
	failed     error // to print
}

// tally is how an operator did.
type tally struct {
	url          string
	asked, right int
	wrong        map[committee.Result]int
}

func (r *auditReport) add(f committee.Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	t := r.operators[f.Operator]
	if t == nil {
		t = &tally{wrong: map[committee.Result]int{}}
		r.operators[f.Operator] = t
	}
	t.url = f.URL
	t.asked++
	if f.Healthy() {
		t.right++
	} else {
		r.bad++
	}
	if f.Result != committee.ResultOK {
		t.wrong[f.Result]++
	}
	if r.json && r.failed == nil && (r.all || f.Result != committee.ResultOK) {
		r.failed = printJSON(r.out, &f)
	}
}

// end prints a line for each operator, and fails if one did.
func (r *auditReport) end() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range slices.Sorted(maps.Keys(r.operators)) {
		if t := r.operators[i]; !r.json && r.failed == nil {
			_, r.failed = fmt.Fprintf(r.out, "operator %d at %s: %d of %d answers are right%s\n", i, t.url, t.right, t.asked, describe(t.wrong))
		}
	}
	if r.failed == nil && r.bad > 0 {
		return fmt.Errorf("%d of %d answers of operators are not right", r.bad, r.asked)
	}
	return r.failed
}

func describe(wrong map[committee.Result]int) string {
	text := ""
	for _, result := range slices.Sorted(maps.Keys(wrong)) {
		text += fmt.Sprintf(", %d %s", wrong[result], result)
	}
	return text
}
