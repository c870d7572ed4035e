import { hex, keccak, keccakHex, type Hex } from "./hex.js";
import { asBytes, asList, decode, encode, type Decoded, type Item } from "./rlp.js";

/** The root of a Merkle-Patricia trie without entries. */
export const emptyRoot: Hex = keccakHex(encode(new Uint8Array()));

/**
 * The value at the hash of the key in the trie with the root, or undefined if its absence
 * is proven. Throws if the nodes prove neither. (Yellow paper, appendix D.)
 */
export function proven(root: Hex, key: Uint8Array, nodes: readonly Uint8Array[]): Uint8Array | undefined {
  if (root === emptyRoot) return undefined;
  const held = new Map(nodes.map((n) => [keccakHex(n), n]));
  let path = nibbles(keccak(key));
  let next: Decoded = lookUp(held, root);
  for (;;) {
    const node = asList(next);
    let child: Decoded | undefined;
    if (node.length === 17) {
      const nibble = path[0];
      if (nibble === undefined) return some(node[16]);
      child = node[nibble];
      path = path.subarray(1);
    } else if (node.length === 2) {
      const { leaf, part } = unpack(asBytes(node[0]));
      const fits = part.every((n, i) => n === path[i]) && (!leaf || part.length === path.length);
      if (!fits) return undefined;
      if (leaf) return some(node[1]);
      child = node[1];
      path = path.subarray(part.length);
    } else {
      throw new Error(`a node has ${node.length} items`);
    }
    if (child === undefined) throw new Error("a node has no such child");
    if (child instanceof Uint8Array) {
      if (child.length === 0) return undefined;
      if (child.length !== 32) throw new Error("a child is neither node nor hash");
      next = lookUp(held, hex(child));
    } else {
      next = child; // shorter than a hash: it stands in its parent
    }
  }
}

function some(value: Decoded | undefined): Uint8Array | undefined {
  const bytes = asBytes(value);
  return bytes.length === 0 ? undefined : bytes;
}

function lookUp(held: ReadonlyMap<Hex, Uint8Array>, hash: Hex): Decoded {
  const node = held.get(hash);
  if (!node) throw new Error(`node ${hash} is missing`);
  return decode(node);
}

function nibbles(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(2 * bytes.length);
  bytes.forEach((b, i) => {
    out[2 * i] = b >> 4;
    out[2 * i + 1] = b & 15;
  });
  return out;
}

/** Hex-prefix decoding (yellow paper, appendix C). */
function unpack(bytes: Uint8Array): { leaf: boolean; part: Uint8Array } {
  const all = nibbles(bytes);
  const flags = all[0];
  if (flags === undefined || flags > 3) throw new Error("a path has no flags");
  return { leaf: flags >= 2, part: all.subarray(flags % 2 === 1 ? 1 : 2) };
}

function pack(part: Uint8Array, leaf: boolean): Uint8Array {
  const flags = leaf ? 2 : 0;
  const all = part.length % 2 === 1 ? [flags + 1, ...part] : [flags, 0, ...part];
  const out = new Uint8Array(all.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = (all[2 * i]! << 4) | all[2 * i + 1]!;
  return out;
}

/** The root of the trie that holds each encoding under the RLP of its index. */
export function listRoot(encodings: readonly Uint8Array[]): Hex {
  if (encodings.length === 0) return emptyRoot;
  const entries = encodings.map((value, i) => ({ path: nibbles(encode(BigInt(i))), value }));
  return keccakHex(encode(build(entries, 0)));
}

interface Entry {
  readonly path: Uint8Array;
  readonly value: Uint8Array;
}

/** The node of entries, whose paths are equal up to depth. No path begins another. */
function build(entries: readonly Entry[], depth: number): readonly Item[] {
  const first = entries[0]!;
  if (entries.length === 1) return [pack(first.path.subarray(depth), true), first.value];
  let equal = depth;
  while (entries.every((e) => e.path[equal] === first.path[equal])) equal++;
  if (equal > depth) return [pack(first.path.subarray(depth, equal), false), reference(build(entries, equal))];
  const groups: Entry[][] = Array.from({ length: 16 }, () => []);
  for (const e of entries) groups[e.path[depth]!]!.push(e);
  const children: Item[] = groups.map((g) => (g.length === 0 ? new Uint8Array() : reference(build(g, depth + 1))));
  return [...children, new Uint8Array()];
}

function reference(node: readonly Item[]): Item {
  const encoded = encode(node);
  return encoded.length < 32 ? node : keccak(encoded);
}

