import { LightError } from "./errors.js";
import { concat, data, dataHex, encodingFault, hex, keccak, keccakHex, list, object, quantity, word, type Hex, type Json } from "./hex.js";
import { recover } from "./header.js";
import { encode, type Item } from "./rlp.js";

/** The type of transactions that L1 ordered (OP Stack specification, "Deposits"). */
export const depositType = 0x7e;

/** A transaction as its hash fixes it. */
export interface Transaction {
  readonly type: number;
  readonly hash: Hex;
  /** EIP-2718. */
  readonly raw: Uint8Array;
  /** null creates a contract. */
  readonly to: Hex | null;
  /** In wei. */
  readonly value: bigint;
  readonly gas: bigint;
  /** 0 for deposits, which have none of their own. */
  readonly nonce: bigint;
  readonly input: Hex;
  readonly blockNumber: bigint;
  /** In the block. */
  readonly index: bigint;
  /** Who sent it: recovered from the signature, or the deposit's. */
  sender(): Hex;
}

/**
 * Reads a transaction's JSON and encodes it again. Members that its hash does not cover
 * are not taken over, and a hash that is not of the others is a fault.
 */
export function parseTransaction(answer: unknown, blockNumber: bigint, index: bigint): Transaction {
  const o = object(answer, "transaction");
  const claimed = dataHex(o["hash"], "hash", 32);
  const type = Number(quantity(o["type"], "type", 8));
  const body = type === depositType ? deposit(o) : signed(o, type);
  const hash = keccakHex(body.raw);
  if (hash !== claimed) throw new LightError("content", `transaction ${claimed}: its members hash to ${hash}`);
  const to = address(o["to"], "to");
  return {
    type, hash, raw: body.raw, to: to.length === 0 ? null : hex(to), value: quantity(o["value"], "value", 256), gas: quantity(o["gas"], "gas"),
    nonce: type === depositType ? 0n : quantity(o["nonce"], "nonce"), input: dataHex(o["input"], "input"), blockNumber, index, sender: body.sender,
  };
}

interface Body {
  readonly raw: Uint8Array;
  sender(): Hex;
}

/** An address, or nothing for null. */
function address(v: unknown, what: string): Uint8Array {
  return v === null || v === undefined ? new Uint8Array() : data(v, what, 20);
}

function deposit(o: Json): Body {
  const from = data(o["from"], "from", 20);
  if (typeof o["isSystemTx"] !== "boolean") throw encodingFault("isSystemTx is no truth value");
  const fields: Item[] = [
    data(o["sourceHash"], "sourceHash", 32), from, address(o["to"], "to"), quantity(o["mint"], "mint", 256), quantity(o["value"], "value", 256),
    quantity(o["gas"], "gas"), o["isSystemTx"] ? 1n : 0n, data(o["input"], "input"),
  ];
  return { raw: concat(Uint8Array.of(depositType), encode(fields)), sender: () => hex(from) };
}

function signed(o: Json, type: number): Body {
  const q = (name: string, bits = 64): bigint => quantity(o[name], name, bits);
  const rest: Item[] = [q("gas"), address(o["to"], "to"), q("value", 256), data(o["input"], "input")];
  const [r, s] = [q("r", 256), q("s", 256)];
  if (type === 0) {
    const v = q("v");
    const fields: Item[] = [q("nonce"), q("gasPrice", 256), ...rest];
    const bare = v === 27n || v === 28n; // before EIP-155
    if (!bare && v < 35n) throw encodingFault(`v is ${v}`);
    const parity = bare ? Number(v - 27n) : Number((v - 35n) % 2n);
    const message = encode(bare ? fields : [...fields, (v - 35n) / 2n, 0n, 0n]);
    return { raw: encode([...fields, v, r, s]), sender: () => senderOf(message, r, s, parity) };
  }
  const fields: Item[] = [q("chainId", 256), q("nonce")];
  if (type === 1) {
    fields.push(q("gasPrice", 256));
  } else if (type === 2 || type === 4) {
    fields.push(q("maxPriorityFeePerGas", 256), q("maxFeePerGas", 256));
  } else {
    throw encodingFault(`type ${type} is not known`);
  }
  fields.push(...rest, list(o["accessList"], "accessList").map(accessEntry));
  if (type === 4) fields.push(list(o["authorizationList"], "authorizationList").map(authorization));
  const parity = q("yParity");
  if (parity > 1n || parity !== q("v")) throw encodingFault("yParity and v differ, or are not 0 or 1");
  const prefix = Uint8Array.of(type);
  const message = concat(prefix, encode(fields));
  return { raw: concat(prefix, encode([...fields, parity, r, s])), sender: () => senderOf(message, r, s, Number(parity)) };
}

function senderOf(message: Uint8Array, r: bigint, s: bigint, parity: number): Hex {
  return recover(keccak(message), concat(word(r), word(s)), parity, "transaction");
}

function accessEntry(v: unknown): Item {
  const o = object(v, "entry of accessList");
  return [data(o["address"], "address", 20), list(o["storageKeys"], "storageKeys").map((key) => data(key, "storage key", 32))];
}

function authorization(v: unknown): Item {
  const o = object(v, "authorization");
  const q = (name: string, bits = 64): bigint => quantity(o[name], name, bits);
  return [q("chainId", 256), data(o["address"], "address", 20), q("nonce"), q("yParity", 8), q("r", 256), q("s", 256)];
}
