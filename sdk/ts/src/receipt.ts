import { concat, data, dataHex, encodingFault, list, object, quantity, type Hex } from "./hex.js";
import { encode, type Item } from "./rlp.js";
import { depositType } from "./transaction.js";

/** An event of a contract. */
export interface Log {
  readonly address: Hex;
  readonly topics: readonly Hex[];
  readonly data: Hex;
}

/** The outcome of a transaction: what a hash covers, and what follows from it. */
export interface Receipt {
  readonly transactionHash: Hex;
  readonly type: number;
  readonly success: boolean;
  readonly gasUsed: bigint;
  /** In the block up to here. */
  readonly cumulativeGasUsed: bigint;
  readonly logs: readonly Log[];
  readonly blockNumber: bigint;
  /** In the block. */
  readonly index: bigint;
  /** The consensus encoding. */
  readonly raw: Uint8Array;
}

/** A receipt of which only the consensus members are known. */
export type BareReceipt = Omit<Receipt, "transactionHash" | "gasUsed" | "blockNumber" | "index">;

/** Reads the consensus members of a receipt's JSON. */
export function parseReceipt(answer: unknown): BareReceipt {
  const o = object(answer, "receipt");
  const type = Number(quantity(o["type"], "type", 8));
  const status = quantity(o["status"], "status");
  if (type >= 0x80 || status > 1n) throw encodingFault("receipt: type or status is out of range");
  const cumulativeGasUsed = quantity(o["cumulativeGasUsed"], "cumulativeGasUsed");
  const logs = list(o["logs"], "logs").map((v) => {
    const l = object(v, "log");
    return { address: dataHex(l["address"], "address", 20), topics: list(l["topics"], "topics").map((t) => dataHex(t, "topic", 32)), data: dataHex(l["data"], "data") };
  });
  const fields: Item[] = [
    status, cumulativeGasUsed, data(o["logsBloom"], "logsBloom", 256),
    logs.map((l) => [data(l.address, "address"), l.topics.map((t) => data(t, "topic")), data(l.data, "data")]),
  ];
  if (type === depositType) fields.push(quantity(o["depositNonce"], "depositNonce"), 1n);
  const body = encode(fields);
  return { type, success: status === 1n, cumulativeGasUsed, logs, raw: type === 0 ? body : concat(Uint8Array.of(type), body) };
}
