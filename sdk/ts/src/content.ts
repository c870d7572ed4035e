import { LightError } from "./errors.js";
import { parseSigned, type Signed } from "./header.js";
import { concat, data, keccakHex, list, object } from "./hex.js";
import { parseReceipt, type BareReceipt, type Receipt } from "./receipt.js";
import { encode } from "./rlp.js";
import { parseTransaction, type Transaction } from "./transaction.js";

/**
 * A mini-block whose transactions and receipts are those that its header commits to.
 * Whether the header belongs to the chain is Chain's to say.
 */
export interface MiniBlock extends Signed {
  readonly transactions: readonly Transaction[];
  /** Of transactions, in their order. */
  readonly receipts: readonly Receipt[];
}

/** How many transactions a mini-block may have. */
export const maxTransactions = 65_000n;

/**
 * Reads the answer of talaria_getMiniBlock or an event of the miniBlocks stream and checks
 * its content against its header. What no hash covers is not taken over.
 */
export function parseMiniBlock(answer: unknown): MiniBlock {
  const signed = parseSigned(answer);
  const o = object(answer, "mini-block");
  const h = signed.header;
  const [txs, outcomes] = [list(o["transactions"], "transactions"), list(o["receipts"], "receipts")];
  if (BigInt(txs.length) !== h.txCount || txs.length !== outcomes.length || h.txCount > maxTransactions) {
    throw new LightError("content", `mini-block ${h.number}: ${txs.length} transactions and ${outcomes.length} receipts, the header says ${h.txCount}`);
  }
  const transactions = txs.map((tx, i) => parseTransaction(tx, h.blockNumber, h.firstTxIndex + BigInt(i)));
  if (keccakHex(concat(...transactions.map((tx) => data(tx.hash, "hash")))) !== h.txsHash) {
    throw new LightError("content", `mini-block ${h.number}: transactions are not those of txsHash`);
  }
  const bare = outcomes.map(parseReceipt);
  if (keccakHex(encode(bare.map((r) => r.raw))) !== h.receiptsHash) {
    throw new LightError("content", `mini-block ${h.number}: receipts are not those of receiptsHash`);
  }
  const [first, last] = [bare[0], bare.at(-1)];
  const before = (last?.cumulativeGasUsed ?? h.gasUsed) - h.gasUsed;
  if (first && (before < 0n || before > first.cumulativeGasUsed || (h.firstTxIndex === 0n && before !== 0n))) {
    throw new LightError("content", `mini-block ${h.number}: its gas and that of its receipts differ`);
  }
  return { ...signed, transactions, receipts: placeReceipts(bare, transactions, before) };
}

/** Notes transactions, places and gas of consecutive receipts; before is the gas of the block before them. */
export function placeReceipts(bare: readonly BareReceipt[], transactions: readonly Transaction[], before: bigint): Receipt[] {
  return bare.map((r, i) => {
    const tx = transactions[i]!;
    if (r.type !== tx.type || r.cumulativeGasUsed < before) {
      throw new LightError("content", `receipt ${tx.index} of block ${tx.blockNumber} does not fit its transaction`);
    }
    const gasUsed = r.cumulativeGasUsed - before;
    before = r.cumulativeGasUsed;
    return { ...r, transactionHash: tx.hash, gasUsed, blockNumber: tx.blockNumber, index: tx.index };
  });
}
