package chain

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// FillReceipts sets the context fields of the block's receipts and of their logs
// from the block's content; a block without L1 attributes brings no L1Prices, and leaves
// them as they are; the consensus fields must be set and there must be one
// receipt per transaction. Nobody else may use the receipts or logs meanwhile.
func (b *Block) FillReceipts() {
	var before Gas
	var logIndex uint
	hash, number, timestamp := b.Hash(), b.Number(), b.Header.Time
	prices := b.l1Prices()
	for i, r := range b.Receipts {
		tx := b.Txs[i]
		r.Follow(tx, before)
		before = r.CumulativeGasUsed
		r.EffectiveGasPrice = tx.EffectiveGasPrice(b.Header.BaseFee)
		if prices != nil && !tx.IsDeposit() {
			r.L1Prices = prices
		}
		for _, log := range r.Logs {
			log.BlockNumber, log.BlockHash, log.BlockTimestamp = number, hash, timestamp
			log.TxHash, log.TxIndex = r.TxHash, uint(i)
			log.Index = logIndex
			logIndex++
		}
	}
}

// Follow sets the context fields that the transaction and the gas that the block had used
// before it decide: TxHash, GasUsed and ContractAddress. The consensus fields must be set.
func (r *Receipt) Follow(tx *Tx, before Gas) {
	r.TxHash, r.GasUsed, r.ContractAddress = tx.Hash(), r.CumulativeGasUsed-before, common.Address{}
	if tx.To() != nil {
		return
	}
	nonce := tx.Nonce()
	if tx.IsDeposit() {
		nonce = r.DepositNonce
	}
	r.ContractAddress = crypto.CreateAddress(tx.From(), nonce)
}

// l1Prices are those that the block's L1-attributes deposit brings, nil without one.
func (b *Block) l1Prices() *L1FeeParams {
	if len(b.Txs) == 0 {
		return nil
	}
	attrs, err := ParseL1Attributes(b.Txs[0])
	if err != nil {
		return nil
	}
	p := attrs.FeeParams()
	return &p
}
