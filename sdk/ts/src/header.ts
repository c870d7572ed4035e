import { secp256k1 } from "@noble/curves/secp256k1.js";
import { LightError } from "./errors.js";
import { concat, data, dataHex, hex, keccak, keccakHex, object, quantity, quantityHex, type Hex } from "./hex.js";
import { encode } from "./rlp.js";

/** Commits to one mini-block; docs/spec/miniblock.md tells what the fields mean. */
export interface Header {
  readonly chainId: bigint;
  readonly epoch: bigint;
  readonly number: bigint;
  readonly parentHash: Hex;
  readonly blockNumber: bigint;
  /** Position in the block. */
  readonly index: bigint;
  /** Unix time in microseconds. */
  readonly timestampMicros: bigint;
  /** Position in the block of the first transaction. */
  readonly firstTxIndex: bigint;
  readonly txCount: bigint;
  readonly gasUsed: bigint;
  readonly txsHash: Hex;
  readonly receiptsHash: Hex;
  readonly diffHash: Hex;
}

/** A header with the leader's signature, 65 bytes; all zero: nobody signed. */
export interface Signed {
  readonly header: Header;
  readonly hash: Hex;
  readonly signature: Hex;
}

const names = ["chainId", "epoch", "number", "parentHash", "blockNumber", "index", "timestampMicros", "firstTxIndex", "txCount", "gasUsed", "txsHash", "receiptsHash", "diffHash"] as const;

const isHash = (name: string): boolean => name.endsWith("Hash");

/** keccak256(0x01 ‖ RLP(header)). */
export function headerHash(h: Header): Hex {
  const fields = names.map((name) => {
    const v = h[name];
    return typeof v === "bigint" ? v : data(v, name, 32);
  });
  return keccakHex(concat(Uint8Array.of(1), encode(fields)));
}

const unsignedText: Hex = `0x${"00".repeat(65)}`;

/** Reports whether nobody signed: L1 forced the mini-block in. */
export function isUnsigned(s: Signed): boolean {
  return s.signature === unsignedText;
}

/** Who signed. */
export function signer(s: Signed): Hex {
  const sig = data(s.signature, "signature", 65);
  return recover(data(s.hash, "hash", 32), sig.subarray(0, 64), sig[64]!, `mini-block ${s.header.number}`);
}

/** The address that signed the hash; rs is r ‖ s with s at most half the order, v 0 or 1. */
export function recover(hash: Uint8Array, rs: Uint8Array, v: number, what: string): Hex {
  try {
    const { r, s } = secp256k1.Signature.fromBytes(rs, "compact");
    const order = secp256k1.Point.Fn.ORDER;
    if (r < 1n || r >= order || s < 1n || 2n * s > order || v > 1) throw new Error("r, s or v is out of range");
    const key = secp256k1.recoverPublicKey(concat(Uint8Array.of(v), rs), hash, { prehash: false });
    return hex(keccak(secp256k1.Point.fromBytes(key).toBytes(false).subarray(1)).subarray(12));
  } catch (cause) {
    throw new LightError("signature", `${what}: ${String(cause)}`, { cause });
  }
}

/** Reads talaria_getMiniBlock's answer. The hash must be the header's. */
export function parseSigned(answer: unknown): Signed {
  const o = object(answer, "mini-block");
  const fields = names.map((name) => [name, isHash(name) ? dataHex(o[name], name, 32) : quantity(o[name], name)]);
  const header = Object.fromEntries(fields) as unknown as Header;
  const hash = headerHash(header);
  const claimed = dataHex(o["hash"], "hash", 32);
  if (hash !== claimed) throw new LightError("content", `mini-block ${header.number}: hash is ${hash}, the node says ${claimed}`);
  return { header, hash, signature: dataHex(o["signature"], "signature", 65) };
}

/** The members of talaria_getMiniBlock, for evidence. */
export function signedJson(s: Signed): Record<string, Hex> {
  const out: Record<string, Hex> = { hash: s.hash, signature: s.signature };
  for (const name of names) {
    const v = s.header[name];
    out[name] = typeof v === "bigint" ? quantityHex(v) : v;
  }
  return out;
}
