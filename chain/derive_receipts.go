package chain

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// FillReceipts sets the context fields of the block's receipts and of their logs
// from the block's content; the consensus fields must be set and there must be one
// receipt per transaction. Nobody else may use the receipts or logs meanwhile.
func (b *Block) FillReceipts() {
	var before Gas
	var logIndex uint
	hash, number, timestamp := b.Hash(), b.Number(), b.Header.Time
	for i, r := range b.Receipts {
		tx := b.Txs[i]
		r.TxHash = tx.Hash()
		r.GasUsed = r.CumulativeGasUsed - before
		before = r.CumulativeGasUsed
		r.EffectiveGasPrice = tx.EffectiveGasPrice(b.Header.BaseFee)
		r.ContractAddress = common.Address{}
		if tx.To() == nil {
			nonce := tx.Nonce()
			if tx.IsDeposit() {
				nonce = r.DepositNonce
			}
			r.ContractAddress = crypto.CreateAddress(tx.From(), nonce)
		}
		for _, log := range r.Logs {
			log.BlockNumber, log.BlockHash, log.BlockTimestamp = number, hash, timestamp
			log.TxHash, log.TxIndex = r.TxHash, uint(i)
			log.Index = logIndex
			logIndex++
		}
	}
}
