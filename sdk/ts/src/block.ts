import { placeReceipts } from "./content.js";
import { LightError } from "./errors.js";
import type { Header } from "./header.js";
import { data, dataHex, encodingFault, hex, keccakHex, list, object, quantity, type Hex } from "./hex.js";
import { parseReceipt, type Receipt } from "./receipt.js";
import { asBytes, asInteger, asList, decode, encode, type Item } from "./rlp.js";
import { parseTransaction, type Transaction } from "./transaction.js";
import { listRoot } from "./trie.js";

/** The header of a sealed block. */
export interface BlockHeader {
  readonly hash: Hex;
  readonly number: bigint;
  readonly parentHash: Hex;
  readonly stateRoot: Hex;
  readonly transactionsRoot: Hex;
  readonly receiptsRoot: Hex;
  /** Unix time in seconds. */
  readonly timestamp: bigint;
  readonly gasUsed: bigint;
  readonly extraData: Hex;
}

/** A sealed block to whose hash a signed mini-block commits. */
export interface Block extends BlockHeader {
  /** The first mini-block of the next block: its diff writes the hash into the history contract. */
  readonly voucher: bigint;
}

/** The contract that keeps block hashes, and how many (EIP-2935). */
export const historyAddress: Hex = "0x0000f90827f1c53a10cb7a02335b175320002935";
export const historySlots = 8191n;

/** Where the history contract keeps the hash of the block. */
export function historySlot(block: bigint): Hex {
  return `0x${(block % historySlots).toString(16).padStart(64, "0")}`;
}

type Field = readonly [name: string, size: number | "quantity" | "data"];

const required: readonly Field[] = [
  ["parentHash", 32], ["sha3Uncles", 32], ["miner", 20], ["stateRoot", 32], ["transactionsRoot", 32], ["receiptsRoot", 32], ["logsBloom", 256],
  ["difficulty", "quantity"], ["number", "quantity"], ["gasLimit", "quantity"], ["gasUsed", "quantity"], ["timestamp", "quantity"], ["extraData", "data"],
  ["mixHash", 32], ["nonce", 8],
];

/** What later rules appended, in order: a header may end before any of them. */
const appended: readonly Field[] = [
  ["baseFeePerGas", "quantity"], ["withdrawalsRoot", 32], ["blobGasUsed", "quantity"], ["excessBlobGas", "quantity"], ["parentBeaconBlockRoot", 32],
  ["requestsHash", 32], ["blockAccessListHash", 32], ["slotNumber", "quantity"],
];

/** Reads the header of a sealed block and hashes it; a hash that is said is not looked at. */
export function parseHeader(answer: unknown): BlockHeader {
  const o = object(answer, "header");
  const field = ([name, size]: Field): Item => {
    if (size === "quantity") return quantity(o[name], name, 256);
    return size === "data" ? data(o[name], name) : data(o[name], name, size);
  };
  const fields = required.map(field);
  let ended = false;
  for (const f of appended) {
    const there = o[f[0]] !== undefined && o[f[0]] !== null;
    if (there && ended) throw encodingFault(`${f[0]} stands behind a field that is missing`);
    ended = !there;
    if (there) fields.push(field(f));
  }
  const hash32 = (name: string): Hex => dataHex(o[name], name, 32);
  return {
    hash: keccakHex(encode(fields)), number: quantity(o["number"], "number"), parentHash: hash32("parentHash"), stateRoot: hash32("stateRoot"),
    transactionsRoot: hash32("transactionsRoot"), receiptsRoot: hash32("receiptsRoot"), timestamp: quantity(o["timestamp"], "timestamp"),
    gasUsed: quantity(o["gasUsed"], "gasUsed"), extraData: dataHex(o["extraData"], "extraData"),
  };
}

/** Reads a header that must have the hash. */
export function headerOf(answer: unknown, hash: Hex): BlockHeader {
  const h = parseHeader(answer);
  if (h.hash !== hash) throw new LightError("block", `header of block ${h.number} hashes to ${h.hash}, wanted is ${hash}`);
  return h;
}

/**
 * The hash of the block before the header's, to which the header commits: its diff holds
 * what the system call of EIP-2935 wrote. The header must be the first of its block.
 */
export function parentBlock(h: Header, diff: Uint8Array): Hex {
  if (keccakHex(diff) !== h.diffHash) throw new LightError("content", `mini-block ${h.number}: the diff is not that of diffHash`);
  if (h.index !== 0n || h.blockNumber === 0n) throw new LightError("block", `mini-block ${h.number} is not the first of its block`);
  const want = BigInt(historySlot(h.blockNumber - 1n));
  for (const account of asList(decode(diff))) {
    const [address, storage] = asList(account);
    if (hex(asBytes(address)) !== historyAddress) continue;
    for (const entry of asList(storage)) {
      const [slot, changes] = asList(entry);
      const first = asList(changes)[0];
      if (asInteger(slot) !== want || !first) continue;
      const [index, value] = asList(first);
      if (asInteger(index) === 0n && asBytes(value).length <= 32) return `0x${hex(asBytes(value)).slice(2).padStart(64, "0")}`;
    }
  }
  throw new LightError("block", `mini-block ${h.number} does not commit to a block before its own`);
}

/** The hash of the block's last mini-block, undefined where extraData is not of version 1 (docs/spec/chain.md). */
export function lastMiniBlock(b: BlockHeader): Hex | undefined {
  const extra = data(b.extraData, "extraData");
  return extra.length === 49 && extra[0] === 1 ? hex(extra.subarray(17)) : undefined;
}

/** Checks that the header is the block before the one that voucher begins. voucher must be of the chain, and diff its diff. */
export function verifyBlock(voucher: Header, diff: Uint8Array, header: unknown): Block {
  const b = headerOf(header, parentBlock(voucher, diff));
  if (b.number !== voucher.blockNumber - 1n) throw new LightError("block", `block ${b.hash} has the number ${b.number}, wanted is ${voucher.blockNumber - 1n}`);
  const last = lastMiniBlock(b);
  if (last === undefined || (b.number === 0n ? b.hash : last) !== voucher.parentHash) {
    throw new LightError("block", `extraData of block ${b.number} does not end with mini-block ${voucher.parentHash}`);
  }
  return { ...b, voucher: voucher.number };
}

/** Checks all transactions of a block against its root: block is eth_getBlockByHash's answer with whole transactions. */
export function verifyTransactions(h: BlockHeader, block: unknown): Transaction[] {
  const txs = list(object(block, "block")["transactions"], "transactions").map((tx, i) => parseTransaction(tx, h.number, BigInt(i)));
  if (listRoot(txs.map((tx) => tx.raw)) !== h.transactionsRoot) {
    throw new LightError("content", `transactions of block ${h.number} are not those of transactionsRoot`);
  }
  return txs;
}

/**
 * Checks all receipts and transactions of a block against its roots: receipts is the answer
 * of eth_getBlockReceipts. There is no shorter proof by standard methods: the cost grows
 * with the block.
 */
export function verifyReceipts(h: BlockHeader, receipts: unknown, block: unknown): { receipts: Receipt[]; transactions: Transaction[] } {
  const transactions = verifyTransactions(h, block);
  const bare = list(receipts, "receipts").map(parseReceipt);
  if (bare.length !== transactions.length || listRoot(bare.map((r) => r.raw)) !== h.receiptsRoot) {
    throw new LightError("content", `receipts of block ${h.number} are not those of receiptsRoot`);
  }
  return { receipts: placeReceipts(bare, transactions, 0n), transactions };
}
