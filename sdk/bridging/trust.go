package bridging

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"net/url"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/l1/bindings"
)

// Trust says whose word the client takes for the addresses on L1 to which it sends money,
// and for the chain id that it signs for. The first that is set counts. With none, a client
// with a key takes the word of an L2 node on this machine only.
type Trust struct {
	// Contracts on L1 by name, and both chain ids (zero: not known), as a genesis file or
	// devnet.json has them.
	Contracts            map[string]common.Address
	L1ChainID, L2ChainID uint64
	// Portal of the chain on L1. What it does not name there (the standard bridge, the
	// pool), the client does not use.
	Portal common.Address
	// Node takes the L2 node's word: whoever answers at its URL can take what is sent.
	Node bool
}

// ErrUntrusted means that nobody but an L2 node elsewhere tells where to send money.
var ErrUntrusted = errors.New("only the L2 node says where to send money")

// announced is the answer of talaria_l1Contracts.
type announced struct {
	L1ChainID hexutil.Uint64            `json:"l1ChainId"`
	L2ChainID hexutil.Uint64            `json:"l2ChainId"`
	Contracts map[string]common.Address `json:"contracts"`
}

func (c *Client) announced(ctx context.Context) (*announced, error) {
	out := new(announced)
	if err := c.l2.Client().CallContext(ctx, out, "talaria_l1Contracts"); err != nil {
		return nil, fmt.Errorf("ask the L2 at %s for its contracts: %w", c.opts.L2URL, err)
	}
	return out, nil
}

// root finds the contracts and the chain's id as Trust says, and compares the chain ids of
// all who tell one.
func (c *Client) root(ctx context.Context, told *announced) error {
	t := c.opts.Trust
	l1ID, l2ID := uint64(told.L1ChainID), uint64(told.L2ChainID)
	switch {
	case t.Contracts != nil:
		c.at = t.Contracts
		if t.L1ChainID != 0 {
			l1ID = t.L1ChainID
		}
		if t.L2ChainID != 0 {
			l2ID = t.L2ChainID
		}
	case t.Portal != (common.Address{}):
		var err error
		if l2ID, err = c.readPortal(ctx, t.Portal); err != nil {
			return err
		}
	case t.Node, c.opts.Key == nil, local(c.opts.L2URL):
		c.at = told.Contracts
	default:
		return fmt.Errorf("%w: the one at %s names portal %s", ErrUntrusted, c.opts.L2URL, told.Contracts["portal"])
	}
	if len(c.at) == 0 {
		return errors.New("no contracts of this chain on L1 are known")
	}
	if got := c.l1.ChainID().Uint64(); got != l1ID {
		return fmt.Errorf("L1 at %s has chain id %d, this L2 settles on %d", c.opts.L1URL, got, l1ID)
	}
	if uint64(told.L2ChainID) != l2ID {
		return fmt.Errorf("L2 at %s has chain id %d, want %d", c.opts.L2URL, uint64(told.L2ChainID), l2ID)
	}
	c.l2ChainID = new(big.Int).SetUint64(l2ID)
	return nil
}

// readPortal reads from a portal on L1 what it names, and the id of its L2.
func (c *Client) readPortal(ctx context.Context, portal common.Address) (l2ID uint64, err error) {
	code, err := c.l1.Code(ctx, portal)
	if err != nil {
		return 0, err
	}
	if len(code) == 0 {
		return 0, fmt.Errorf("there is no portal at %s on L1", portal)
	}
	b, sc := bindings.NewPortal(), bindings.NewSystemConfig()
	config, err := callL1(ctx, c, portal, b.PackSystemConfig(), b.UnpackSystemConfig)
	if err != nil {
		return 0, err
	}
	escrow, err := callL1(ctx, c, portal, b.PackNATIVEESCROW(), b.UnpackNATIVEESCROW)
	if err != nil {
		return 0, err
	}
	c.at = map[string]common.Address{"portal": portal, "systemConfig": config, "nativeTokenBridge": escrow}
	return callL1(ctx, c, config, sc.PackL2CHAINID(), sc.UnpackL2CHAINID)
}

// contract is a contract's address on L1 by its name.
func (c *Client) contract(name string) (common.Address, error) {
	if a := c.at[name]; a != (common.Address{}) {
		return a, nil
	}
	if c.opts.Trust.Contracts == nil && c.opts.Trust.Portal != (common.Address{}) {
		return common.Address{}, fmt.Errorf("the portal does not name the chain's %s on L1: name its genesis file", name)
	}
	return common.Address{}, fmt.Errorf("this chain has no %s on L1", name)
}

// local reports whether a URL is of this machine.
func local(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	if u.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.Unmap().IsLoopback()
}
