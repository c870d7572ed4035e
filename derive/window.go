package derive

import "github.com/talaria-l2/talaria/chain"

// IsForced tells whether a sealed block on parent is what derivation forces there. It wants
// the block's transactions and mini-block headers.
func IsForced(parent Head, b *chain.Block) bool {
	if len(b.Txs) == 0 || len(b.MiniBlocks) != 1 {
		return false
	}
	for _, tx := range b.Txs {
		if !tx.IsDeposit() {
			return false
		}
	}
	attrs, err := chain.ParseL1Attributes(b.Txs[0])
	mini := &b.MiniBlocks[0]
	return err == nil && attrs.Number == parent.Origin.Number+1 && b.Header.Time == max(parent.Timestamp, attrs.Timestamp) &&
		mini.TimestampMicros == max(parent.LastMicros, chain.Micros(b.Header.Time)*1_000_000) && mini.Epoch == parent.Epoch
}

// PostingMargin is how many L1 blocks a sequencer that is late leaves a batch of its own to
// arrive in: it makes the blocks that these will force, and its batch begins behind them.
// It is no rule of the protocol. It stays far below ChannelTimeout, for which the batch
// waits at the most.
func PostingMargin(cfg *chain.Config) uint64 { return min(cfg.InclusionWindow/4, 32) }

// MaxUnposted is how many L1 blocks the origin of what L1 holds may be behind L1's head
// while a sequencer goes on: half of the inclusion window, so that there is time to post
// before deposits are forced in. It is no rule of the protocol.
func MaxUnposted(cfg *chain.Config) uint64 { return cfg.InclusionWindow / 2 }

// LastForced is the newest origin that, with L1 at tip, will be forced before a batch that
// is sent now can arrive; 0 if none.
func LastForced(cfg *chain.Config, tip uint64) uint64 {
	if ahead := tip + PostingMargin(cfg); ahead > cfg.InclusionWindow {
		return ahead - cfg.InclusionWindow
	}
	return 0
}

// ForcesSoon tells whether derivation is about to make blocks from deposits alone on head,
// when it has read L1 up to tip. It looks at head's origin.
func ForcesSoon(cfg *chain.Config, head Head, tip uint64) bool {
	return tip+2*PostingMargin(cfg) >= head.Origin.Number+cfg.InclusionWindow
}

// BehindForced is the newest block that needs no posting when derivation has made head and
// has read L1 up to tip: head, or what of the node's own blocks derivation is about to make
// from deposits alone. block gives the node's sealed blocks, nil where it has none.
func BehindForced(cfg *chain.Config, head Head, tip uint64, block func(number uint64) (*chain.Block, error)) uint64 {
	if !ForcesSoon(cfg, head, tip) {
		return head.Number
	}
	for {
		b, err := block(head.Number + 1)
		if err != nil || b == nil || !IsForced(head, b) {
			return head.Number
		}
		if head, err = HeadOf(cfg, b); err != nil {
			return b.Number()
		}
	}
}
