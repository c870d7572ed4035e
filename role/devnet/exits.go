package devnet

import (
	"context"
	"path/filepath"

	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/attestor"
	"github.com/talaria-l2/talaria/role/exits"
	"github.com/talaria-l2/talaria/role/node"
)

// startExits has the node tell where withdrawals stand, and sign blocks for the pool that
// pays them ahead. Of a development chain L1 holds nothing.
func (d *Devnet) startExits(backend *node.Backend, client *l1.Client) error {
	if d.opts.Development {
		return nil
	}
	contracts := d.node.L1Contracts()
	backend.Withdrawals = exits.New(exits.Options{Chain: d.node, L1: client, Contracts: contracts}).Withdrawal
	_, key, _ := devKeys()
	cfg := d.node.Config()
	a, err := attestor.Start(attestor.Options{
		Chain: d.node, Key: key, L1ChainID: cfg.L1ChainID, L2ChainID: cfg.ChainID, Checkpoints: contracts["checkpoints"],
		File: filepath.Join(d.node.Dir().Path(), "attested.json"), Log: d.log,
	})
	if err != nil {
		return err
	}
	d.onClose(func(context.Context) error { a.Close(); return nil })
	backend.Attestations = a.Newest
	return nil
}
