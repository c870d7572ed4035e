package devnet

import (
	"context"
	"fmt"
	"time"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/l1feed"
)

// mainnetBlock is the block time of an L1 that is not the embedded one.
const mainnetBlock chain.Millis = 12_000

// window is the inclusion window of a new chain in L1 blocks.
func (d *Devnet) window() uint64 {
	block := d.opts.L1Block
	if len(d.opts.L1URLs) > 0 {
		block = mainnetBlock
	}
	window := d.opts.InclusionWindow
	if window == 0 {
		window = chain.DefaultInclusionWindow * mainnetBlock
	}
	return max(10, min(uint64((window+block-1)/block), chain.MaxInclusionWindow))
}

// choice is what a new chain is made with.
func (d *Devnet) choice() newChain {
	out := newChain{
		window: d.window(), challengeWindow: 3, layer: d.opts.DA,
		baseFeeScalar: d.opts.BaseFeeScalar, blobBaseFeeScalar: d.opts.BlobBaseFeeScalar,
	}
	if d.opts.ChallengeWindow > 0 {
		out.challengeWindow = max(1, uint64(d.opts.ChallengeWindow/1000))
	}
	if d.opts.Currency != nil {
		out.token = d.opts.Currency.Token
	}
	return out
}

func beaconOf(urls []string, i int) string {
	if i < len(urls) {
		return urls[i]
	}
	return ""
}

// dialOthers connects to the endpoints behind the first, whose client is given. All of
// them must be up at the start.
func (d *Devnet) dialOthers(ctx context.Context, first *l1.Client) ([]*l1.Client, error) {
	clients := []*l1.Client{first}
	for i := 1; i < len(d.opts.L1URLs); i++ {
		client, err := l1.Dial(ctx, l1.Options{URL: d.opts.L1URLs[i], BeaconURL: beaconOf(d.opts.L1BeaconURLs, i), Timeout: 3 * time.Second})
		if err != nil {
			return nil, fmt.Errorf("connect to L1 (leave an endpoint that is down out of --l1-url): %w", err)
		}
		d.onClose(func(context.Context) error { client.Close(); return nil })
		if got := client.ChainID(); got.Cmp(first.ChainID()) != 0 {
			return nil, fmt.Errorf("L1 at %s has chain id %s, the first one %s", d.opts.L1URLs[i], got, first.ChainID())
		}
		clients = append(clients, client)
	}
	return clients, nil
}

// l1Source reads L1 for derivation and for the sequencer.
func (d *Devnet) l1Source(clients []*l1.Client, cfg *chain.Config) (l1feed.L1, error) {
	endpoints := make([]l1.Endpoint, len(clients))
	for i, c := range clients {
		endpoints[i].Source = l1.NewSource(c, l1.SourceOf(cfg))
		if i < len(d.opts.L1URLs) {
			endpoints[i].Name = d.opts.L1URLs[i]
		}
	}
	if len(endpoints) == 1 {
		return endpoints[0].Source, nil
	}
	for _, e := range endpoints {
		d.metrics.L1Endpoint(e.Name, true)
	}
	return l1.NewQuorum(endpoints, l1.QuorumOptions{Need: d.opts.L1Quorum, Report: func(endpoint string, err error) {
		d.metrics.L1Endpoint(endpoint, err == nil)
		if err != nil {
			d.log.Error("an L1 endpoint is at odds with the quorum", "err", err)
		} else {
			d.log.Info("an L1 endpoint agrees with the quorum again", "endpoint", endpoint)
		}
	}})
}
