import { maxTransactions, type MiniBlock } from "./content.js";
import { Equivocation, LightError } from "./errors.js";
import { isUnsigned, signer, type Header, type Signed } from "./header.js";
import type { Hex } from "./hex.js";

/** Who signs mini-blocks of the blocks from a number on. */
export interface Leader {
  readonly address: Hex;
  readonly fromBlock?: bigint;
}

/** A mini-block that the user knows to be of the chain. Before mini-block 0 stands number -1 with the hash of the genesis block. */
export interface Checkpoint {
  readonly number: bigint;
  readonly hash: Hex;
}

/** What is taken for true without a check. */
export interface Trust {
  readonly chainId: bigint;
  /** In ascending order of fromBlock, the first from 0. */
  readonly leaders: readonly Leader[];
  /** Where the chain begins that is checked [the first signed mini-block that is seen]. */
  readonly checkpoint?: Checkpoint;
}

/** Mini-blocks from to to, both included, that are void: the leader went back. */
export interface Range {
  readonly from: bigint;
  readonly to: bigint;
}

/** What a mini-block did to the chain. */
export interface Step {
  /** The chain went back first. */
  readonly rewound?: Range;
  /** Mini-blocks between the chain so far and added that are not known. */
  readonly gap?: Range;
  /** None if the mini-block was known or waits for a signature behind it, several if it vouches for others. */
  readonly added: readonly MiniBlock[];
}

/** How many headers of the chain, and as many signed ones of left branches, are remembered. */
export const defaultWindow = 4096;

const maxUnsigned = 4096;
const maxUnsignedTransactions = 1 << 17;
const maxEpochStep = 1n << 20n;

interface Link {
  readonly signed: Signed;
  /** Epoch of the block before's last mini-block. */
  readonly base: bigint;
}

interface Held {
  readonly mini: MiniBlock;
  readonly link: Link;
}

/** Says that no signature vouches for very many mini-blocks. */
export class NothingSigned extends LightError {}

/** The line of mini-blocks that were checked, without any input or output. */
export class Chain {
  private anchor: Checkpoint | undefined;
  private line: Link[] = [];
  private wait: Held[] = [];
  private left: { head: Header; oldest: bigint } | undefined;
  private readonly seen = new Map<string, Signed>();

  constructor(private readonly trust: Trust, private readonly window = defaultWindow) {
    const froms = trust.leaders.map((l) => l.fromBlock ?? 0n);
    if (trust.chainId === 0n || froms[0] !== 0n || froms.some((f, i) => i > 0 && f <= froms[i - 1]!)) {
      throw new Error("want a chain id and leaders in ascending order, the first from block 0");
    }
    this.anchor = trust.checkpoint;
  }

  /** The newest mini-block, undefined before the first. */
  get head(): Signed | undefined {
    return this.line.at(-1)?.signed;
  }

  /** The header with the number, if it is remembered. */
  at(number: bigint): Signed | undefined {
    return this.linkAt(number)?.signed;
  }

  /** Places from which a stream may go on, the newest first; none: nothing is known yet. */
  places(): Checkpoint[] {
    if (!this.anchor) return [];
    const places: Checkpoint[] = [];
    for (let back = 1; back <= this.line.length; back *= 2) {
      const { header, hash } = this.line[this.line.length - back]!.signed;
      places.push({ number: header.number, hash });
    }
    return [...places, this.anchor];
  }

  private linkAt(number: bigint): Link | undefined {
    const oldest = this.line[0];
    if (!oldest || number < oldest.signed.header.number) return undefined;
    return this.line[Number(number - oldest.signed.header.number)];
  }

  private leader(block: bigint): Hex {
    const l = this.trust.leaders.findLast(({ fromBlock = 0n }) => fromBlock <= block);
    return l!.address.toLowerCase() as Hex;
  }

  /** Verifies chain id and signature alone, and looks for equivocation. Throws LightError or Equivocation. */
  checkSignature(s: Signed): void {
    const h = s.header;
    if (h.chainId !== this.trust.chainId) throw new LightError("link", `mini-block ${h.number} is of chain ${h.chainId}`);
    if (isUnsigned(s)) return;
    const key = `${h.epoch}.${h.number}`;
    const other = this.seen.get(key);
    if (other && other.hash === s.hash && other.signature === s.signature) return; // verified before
    const who = signer(s);
    const leader = this.leader(h.blockNumber);
    if (who !== leader) throw new LightError("signature", `mini-block ${h.number} is signed by ${who}, the leader is ${leader}`);
    if (other) {
      if (other.hash === s.hash) return;
      if (this.leader(other.header.blockNumber) !== leader) throw new LightError("link", `mini-block ${h.number} of epoch ${h.epoch} is signed by two leaders`);
      throw new Equivocation(leader, other, s);
    }
    this.seen.set(key, { header: h, hash: s.hash, signature: s.signature });
    if (this.seen.size > 2 * this.window) this.seen.delete(this.seen.keys().next().value!);
  }

  /** Takes a mini-block in. After a LightError the chain is as before. */
  add(m: MiniBlock): Step {
    this.checkSignature(m);
    const h = m.header;
    if (!this.anchor) {
      if (isUnsigned(m)) return { added: [] };
      const l = this.left?.head;
      if (l && (h.epoch < l.epoch || (h.epoch === l.epoch && h.number <= l.number))) {
        throw new LightError("stale", `mini-block ${h.number} of epoch ${h.epoch} is older than ${l.number} of epoch ${l.epoch}`);
      }
      this.anchor = { number: h.number - 1n, hash: h.parentHash };
    }
    if (this.at(h.number)?.hash === m.hash) return { added: [] };
    const { parent, waiting } = this.parent(h, this.anchor);
    if (parent) follows(parent, h);
    const base = !parent ? h.epoch : h.index === 0n ? parent.signed.header.epoch : parent.base;
    const own = { mini: m, link: { signed: { header: h, hash: m.hash, signature: m.signature }, base } };
    const added = waiting ? [...this.wait, own] : [own];
    if (!isUnsigned(m)) return this.adopt(added);
    if (added.length > maxUnsigned || added.reduce((n, { mini }) => n + mini.transactions.length, 0) > maxUnsignedTransactions) {
      throw new NothingSigned("signature", `nobody signed mini-blocks ${added[0]!.mini.header.number} to ${h.number}`);
    }
    this.wait = added;
    return { added: [] };
  }

  /** Makes mini-blocks part of the line; the last is signed. */
  private adopt(added: readonly Held[]): Step {
    const [first, last] = [added[0]!.mini.header, added.at(-1)!.mini.header];
    let rewound: Range | undefined;
    let gap: Range | undefined;
    const head = this.head?.header;
    if (head && first.number <= head.number) {
      if (last.epoch <= head.epoch) {
        throw new LightError("link", `mini-block ${first.number} of epoch ${last.epoch} leaves the chain of epoch ${head.epoch}, which went on to ${head.number}`);
      }
      rewound = { from: first.number, to: head.number };
      this.line.length = Number(first.number - this.line[0]!.signed.header.number);
    }
    if (this.left) {
      const { head: old, oldest } = this.left;
      if (last.epoch > old.epoch) rewound = { from: oldest, to: old.number };
      const from = rewound ? oldest : old.number + 1n;
      if (first.number > from) gap = { from, to: first.number - 1n };
      this.left = undefined;
    }
    this.line.push(...added.map((a) => a.link));
    const out = this.line.length - this.window;
    if (out >= this.window) {
      const { header, hash } = this.line[out - 1]!.signed;
      this.anchor = { number: header.number, hash };
      this.line = this.line.slice(out);
    }
    this.wait = [];
    return { ...(rewound && { rewound }), ...(gap && { gap }), added: added.map((a) => a.mini) };
  }

  /** What the header continues: undefined if that is the anchor. waiting says that it is the last of those that wait. */
  private parent(h: Header, anchor: Checkpoint): { parent?: Link; waiting: boolean } {
    let next = (this.head?.header.number ?? anchor.number) + 1n;
    const last = this.wait.at(-1)?.link;
    if (last) {
      if (last.signed.hash === h.parentHash) return { parent: last, waiting: true };
      if (last.signed.header.number >= next) next = last.signed.header.number + 1n;
    }
    if (h.number === anchor.number + 1n && h.parentHash === anchor.hash) return { waiting: false };
    if (h.number > next) throw new LightError("gap", `mini-blocks ${next} to ${h.number - 1n} are left out`);
    const parent = this.linkAt(h.number - 1n);
    if (parent?.signed.hash !== h.parentHash) throw new LightError("link", `mini-block ${h.number} has the parent ${h.parentHash}, which is not of the chain`);
    return { ...(parent && { parent }), waiting: false };
  }

  /** Forgets the line, so that the next signed mini-block that is newer begins another. What was signed is remembered for evidence. */
  restart(): void {
    if (this.head) this.left = { head: this.head.header, oldest: this.line[0]!.signed.header.number };
    this.line = [];
    this.wait = [];
    this.anchor = undefined;
  }
}

/** Checks what a header may be behind another (docs/spec/miniblock.md). */
function follows(p: Link, h: Header): void {
  const before = p.signed.header;
  const same = h.blockNumber === before.blockNumber;
  const base = same ? p.base : before.epoch;
  const rules: readonly [keyof Header, boolean][] = [
    ["number", h.number === before.number + 1n],
    ["epoch", h.epoch >= before.epoch && h.epoch - base <= maxEpochStep],
    ["timestampMicros", h.timestampMicros >= before.timestampMicros],
    ["txCount", h.txCount <= maxTransactions],
    ["blockNumber", same || h.blockNumber === before.blockNumber + 1n],
    ["index", h.index === (same ? before.index + 1n : 0n)],
    ["firstTxIndex", h.firstTxIndex === (same ? before.firstTxIndex + before.txCount : 0n)],
  ];
  const bad = rules.find(([, holds]) => !holds);
  if (bad) throw new LightError("link", `mini-block ${h.number}: ${bad[0]} does not follow from the mini-block before`);
}
