import { concat, encodingFault, shortest } from "./hex.js";

/** What RLP encodes (yellow paper, appendix B): integers are encoded as their shortest bytes. */
export type Item = Uint8Array | bigint | readonly Item[];

/** What decoding gives. */
export type Decoded = Uint8Array | readonly Decoded[];

export function encode(item: Item): Uint8Array {
  if (typeof item === "bigint") return encode(shortest(item));
  if (item instanceof Uint8Array) {
    return item.length === 1 && item[0]! < 0x80 ? item : concat(head(0x80, item.length), item);
  }
  const parts = item.map(encode);
  const size = parts.reduce((n, p) => n + p.length, 0);
  return concat(head(0xc0, size), ...parts);
}

function head(base: number, size: number): Uint8Array {
  if (size < 56) return Uint8Array.of(base + size);
  const length = shortest(BigInt(size));
  return concat(Uint8Array.of(base + 55 + length.length), length);
}

/** Decodes one item that fills the bytes; encodings that are not the shortest are refused. */
export function decode(bytes: Uint8Array): Decoded {
  const [item, end] = decodeAt(bytes, 0, bytes.length);
  if (end !== bytes.length) throw encodingFault("RLP: bytes behind the item");
  return item;
}

function decodeAt(bytes: Uint8Array, at: number, end: number): [Decoded, number] {
  const first = bytes[at];
  if (first === undefined || at >= end) throw encodingFault("RLP ends early");
  if (first < 0x80) return [bytes.subarray(at, at + 1), at + 1];
  const base = first < 0xc0 ? 0x80 : 0xc0;
  let size = first - base;
  let from = at + 1;
  if (size > 55) {
    const digits = size - 55;
    size = 0;
    for (let i = 0; i < digits; i++) size = size * 256 + (bytes[from + i] ?? 0);
    if (digits > 6 || bytes[from] === 0 || size < 56) throw encodingFault("RLP: length is not the shortest");
    from += digits;
  }
  const to = from + size;
  if (to > end) throw encodingFault("RLP ends early");
  if (base === 0x80) {
    if (size === 1 && bytes[from]! < 0x80) throw encodingFault("RLP: byte is not the shortest");
    return [bytes.subarray(from, to), to];
  }
  const items: Decoded[] = [];
  for (let i = from; i < to; ) {
    const [item, next] = decodeAt(bytes, i, to);
    items.push(item);
    i = next;
  }
  return [items, to];
}

export function asBytes(item: Decoded | undefined): Uint8Array {
  if (!(item instanceof Uint8Array)) throw encodingFault("RLP: a string is missing");
  return item;
}

export function asList(item: Decoded | undefined): readonly Decoded[] {
  if (item === undefined || item instanceof Uint8Array) throw encodingFault("RLP: a list is missing");
  return item;
}

export function asInteger(item: Decoded | undefined): bigint {
  const bytes = asBytes(item);
  if (bytes[0] === 0) throw encodingFault("RLP: integer with leading zeros");
  return bytes.reduce((n, b) => (n << 8n) | BigInt(b), 0n);
}
