import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { LightError } from "./errors.js";

/** 0x and lower-case hex digits. */
export type Hex = `0x${string}`;

/** A JSON object of which nothing is known. */
export type Json = { readonly [member: string]: unknown };

export const zeroHash: Hex = `0x${"00".repeat(32)}`;

export function hex(bytes: Uint8Array): Hex {
  return `0x${bytesToHex(bytes)}`;
}

export function keccak(bytes: Uint8Array): Uint8Array {
  return keccak_256(bytes);
}

export function keccakHex(bytes: Uint8Array): Hex {
  return hex(keccak_256(bytes));
}

export function encodingFault(what: string): LightError {
  return new LightError("encoding", what);
}

/** The object v, or a fault that names it. */
export function object(v: unknown, what: string): Json {
  if (typeof v !== "object" || v === null || Array.isArray(v)) throw encodingFault(`${what} is no object`);
  return v as Json;
}

export function list(v: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(v)) throw encodingFault(`${what} is no list`);
  return v;
}

/** Data of any length, or of exactly size bytes. */
export function data(v: unknown, what: string, size?: number): Uint8Array {
  if (typeof v !== "string" || !/^0x([0-9a-fA-F]{2})*$/.test(v) || (size !== undefined && v.length !== 2 + 2 * size)) {
    throw encodingFault(`${what} is not ${size ?? "hex"} bytes`);
  }
  return hexToBytes(v.slice(2));
}

/** Data in its lower-case form. */
export function dataHex(v: unknown, what: string, size?: number): Hex {
  return hex(data(v, what, size));
}

/** A quantity: hex without leading zeros. */
export function quantity(v: unknown, what: string, bits = 64): bigint {
  if (typeof v !== "string" || !/^0x(0|[1-9a-fA-F][0-9a-fA-F]*)$/.test(v) || v.length > 2 + bits / 4) {
    throw encodingFault(`${what} is no quantity of ${bits} bits`);
  }
  return BigInt(v);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

/** Big-endian without leading zeros; zero is empty. */
export function shortest(n: bigint): Uint8Array {
  if (n === 0n) return new Uint8Array();
  const digits = n.toString(16);
  return hexToBytes(digits.length % 2 === 0 ? digits : `0${digits}`);
}

/** Big-endian in 32 bytes. */
export function word(n: bigint): Uint8Array {
  return hexToBytes(n.toString(16).padStart(64, "0"));
}

export function quantityHex(n: bigint): Hex {
  return `0x${n.toString(16)}`;
}
