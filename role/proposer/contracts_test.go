package proposer_test

import (
	"context"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/deploy"
	"github.com/talaria-l2/talaria/l1/devl1"
)

// contracts are those of a chain on an L1 of its own.
type contracts struct {
	client  *l1.Client
	senders [3]*l1.Sender // the first has deployed, and owns and guards
	params  deploy.Params
	at      deploy.Addresses
}

// onContracts runs f beside the real contracts, deployed with what edit makes of a
// development chain's parameters; nil: as they are. L1 mines each transaction at once.
func onContracts(t *testing.T, edit func(*deploy.Params), f func(context.Context, contracts) error) {
	t.Helper()
	chainL1, err := devl1.Start(devl1.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := chainL1.Close(); err != nil {
			t.Error(err)
		}
	}()
	client, err := l1.Dial(t.Context(), l1.Options{URL: chainL1.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w := contracts{client: client}
	for i, key := range devl1.Keys(len(w.senders)) {
		w.senders[i] = l1.NewSender(client, l1.NewKeySigner(key), l1.SenderOptions{})
	}
	cfg := chain.DefaultConfig()
	cfg.Batcher, cfg.Sequencer, cfg.BatchInbox = common.Address{0xba}, common.Address{0x5e}, common.Address{0x1b}
	w.params = deploy.Development(cfg)
	w.params.Owner, w.params.Guardian = w.senders[0].Address(), w.senders[0].Address()
	if edit != nil {
		edit(&w.params)
	}
	err = chainL1.MineInstantly(t.Context(), func(ctx context.Context) error {
		out, err := deploy.Deploy(ctx, client, w.senders[0], w.params)
		if err != nil {
			return err
		}
		w.at = out.Addresses
		return f(ctx, w)
	})
	if err != nil {
		t.Fatal(err)
	}
}
