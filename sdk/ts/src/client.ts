import type { Block, BlockHeader } from "./block.js";
import { headerOf, historyAddress, historySlot, historySlots, parentBlock, verifyBlock, verifyReceipts } from "./block.js";
import { Chain, defaultWindow, type Range, type Trust } from "./chain.js";
import { parseMiniBlock, type MiniBlock } from "./content.js";
import { Equivocation, LightError } from "./errors.js";
import { isUnsigned, parseSigned, type Header, type Signed } from "./header.js";
import { data, encodingFault, object, quantity, quantityHex, type Hex } from "./hex.js";
import { emptyCodeHash, verifyAccount, verifyCode, type Account } from "./proof.js";
import type { Receipt } from "./receipt.js";
import { follow } from "./session.js";
import type { Transaction } from "./transaction.js";
import { Wire, type SocketClass, type WireOptions } from "./wire.js";

export interface Options {
  readonly trust: Trust;
  /** ws:// or wss://, 1 to 16, asked in this order. */
  readonly endpoints: readonly string[];
  /** Headers that are remembered, from 64 on [4096]. */
  readonly window?: number;
  /** Sealed blocks that are remembered, from 2 on [256]. */
  readonly blocks?: number;
  /** Characters of messages that may wait to be handled [64 Mi]. */
  readonly maxWaiting?: number;
  /** Milliseconds for connecting and for one question [10,000]. */
  readonly timeout?: number;
  /**
   * Milliseconds that what a node tells may lie behind this machine's clock without coming
   * nearer, before the next endpoint is asked. Longer than a block [10,000].
   */
  readonly staleAfter?: number;
  /** Milliseconds of the pause after all endpoints failed, at first and at most [250, 5,000]. */
  readonly minBackoff?: number;
  readonly maxBackoff?: number;
  /** The class WebSocket [globalThis.WebSocket: browsers, and Node from 22 on]. */
  readonly socket?: SocketClass;
}

/** What following the chain tells, in order. */
export type Event =
  | { readonly kind: "miniBlock"; readonly miniBlock: MiniBlock }
  | { readonly kind: "block"; readonly block: Block }
  | { readonly kind: "rewind"; readonly range: Range }
  | { readonly kind: "gap"; readonly range: Range }
  | { readonly kind: "fault"; readonly fault: LightError };

/** A transaction with its receipt, by its mini-block's signature or by the roots of its block. */
export interface Outcome {
  readonly transaction: Transaction;
  readonly receipt: Receipt;
  readonly by: { readonly miniBlock: Signed } | { readonly block: BlockHeader };
}

/** Follows a chain through nodes that nobody trusts (docs/spec/light.md). */
export class LightClient {
  /** @internal */
  readonly chain: Chain;
  /** @internal */
  readonly o: Required<Options>;
  private known: Block[] = [];
  private readonly asks = new Map<string, Promise<Wire>>();
  private active: string;
  private other = 0;
  private end: Equivocation | undefined;

  constructor(options: Options) {
    const socket = options.socket ?? (globalThis as { WebSocket?: SocketClass }).WebSocket;
    if (!socket) throw new Error("this platform has no WebSocket: give the class of the package ws as options.socket");
    this.o = {
      window: defaultWindow, blocks: 256, maxWaiting: 1 << 26, timeout: 10_000, staleAfter: 10_000, minBackoff: 250, maxBackoff: 5_000, ...options, socket,
    };
    const first = options.endpoints[0];
    if (first === undefined || options.endpoints.length > 16) throw new Error("want 1 to 16 endpoints");
    if (this.o.window < 64 || this.o.blocks < 2) throw new Error("want a window of at least 64 headers and 2 blocks");
    this.active = first;
    this.chain = new Chain(options.trust, this.o.window);
  }

  /** The newest mini-block that was checked, undefined before the first. */
  get head(): Signed | undefined {
    return this.chain.head;
  }

  /** The newest sealed block that was checked, undefined before the first. */
  get block(): Block | undefined {
    return this.known.at(-1);
  }

  /**
   * Follows the chain and tells of each event, one after the other, until signal aborts, on
   * throws, or the leader is caught: that throws Equivocation. Mini-blocks come in order
   * without gap, those that are void after a rewind.
   */
  async run(on: (e: Event) => void | Promise<void>, signal: AbortSignal): Promise<void> {
    let pause = this.o.minBackoff;
    let lost = 0;
    for (let i = 0; ; i++) {
      if (this.end) throw this.end;
      const endpoint = this.o.endpoints[i % this.o.endpoints.length]!;
      const s = await follow(this, endpoint, on, signal);
      if (s.error instanceof Equivocation) this.end = s.error;
      if (signal.aborted) return;
      if (!(s.error instanceof LightError) || s.refused) throw s.error;
      s.error.endpoint ??= endpoint;
      await on({ kind: "fault", fault: s.error });
      // What no endpoint continues is older than they replay, or of a branch that was left.
      lost = s.lost ? (s.progress ? 1 : lost + 1) : 0;
      if (lost === this.o.endpoints.length) {
        this.chain.restart();
        lost = 0;
      }
      if (s.progress) pause = this.o.minBackoff;
      if ((i + 1) % this.o.endpoints.length !== 0 && !s.progress) continue;
      await sleep(pause, signal);
      if (signal.aborted) return;
      pause = Math.min(2 * pause, this.o.maxBackoff);
    }
  }

  /** Hangs up. run must have ended. */
  async close(): Promise<void> {
    const wires = [...this.asks.values()];
    this.asks.clear();
    for (const w of await Promise.allSettled(wires)) if (w.status === "fulfilled") w.value.close();
  }

  /** An account and slots of it after the newest block that was checked, which is returned, too. */
  async account(address: Hex, slots: readonly Hex[] = []): Promise<{ account: Account; block: Block }> {
    const block = this.block;
    if (!block) throw new LightError("unknown", "no sealed block is checked yet");
    return { account: await this.accountAt(block, address, slots), block };
  }

  /** An account and slots of it after the block, which must have been checked. */
  accountAt(block: BlockHeader, address: Hex, slots: readonly Hex[] = []): Promise<Account> {
    return this.first((w) => accountAt(w, block, address, slots));
  }

  /** The code of an account after the newest block that was checked. */
  async code(address: Hex): Promise<Uint8Array> {
    const { account, block } = await this.account(address);
    if (account.codeHash === emptyCodeHash) return new Uint8Array();
    return this.first(async (w) => {
      const code = data(await w.call("eth_getCode", [address, { blockHash: block.hash }]), "code");
      verifyCode(account, code);
      return code;
    });
  }

  /**
   * The sealed block with the number, an ancestor of the newest that was checked. One that
   * is not remembered is proven by the history contract, in steps of 8,191 blocks.
   */
  async blockAt(number: bigint): Promise<BlockHeader> {
    const newest = this.block;
    if (!newest || number > newest.number) throw new LightError("unknown", `block ${number} is not checked yet`);
    const from: BlockHeader = this.known.find((b) => b.number === number) ?? newest;
    return this.first(async (w) => {
      let b = from;
      while (b.number > number) {
        const to = b.number - number > historySlots ? b.number - historySlots : number;
        const slot = historySlot(to);
        const hash = (await accountAt(w, b, historyAddress, [slot])).storage.get(slot)!;
        b = headerOf(await until(w, "eth_getHeaderByHash", hash, this.o.timeout), hash);
        if (b.number !== to) throw new LightError("block", `block ${hash} has the number ${b.number}, wanted is ${to}`);
      }
      return b;
    });
  }

  /**
   * A transaction and its receipt: by its mini-block if the chain remembers that, else by
   * the roots of its block, all of whose transactions and receipts are then fetched.
   */
  transaction(hash: Hex): Promise<Outcome> {
    return this.first(async (w) => {
      const hint = await w.call("eth_getTransactionReceipt", [hash]);
      if (hint === null) throw new LightError("unknown", `no endpoint knows transaction ${hash}`);
      const o = object(hint, "receipt");
      const mini = this.chain.at(quantity(o["miniBlockNumber"], "miniBlockNumber"));
      let by: Outcome["by"];
      let content: { transactions: readonly Transaction[]; receipts: readonly Receipt[] };
      if (mini) {
        const m = parseMiniBlock(await w.call("talaria_getMiniBlock", [mini.hash]));
        if (m.hash !== mini.hash) throw new LightError("content", `mini-block ${mini.hash} was asked for, not ${m.hash}`);
        [content, by] = [m, { miniBlock: mini }];
      } else {
        const block = await this.blockAt(quantity(o["blockNumber"], "blockNumber"));
        const [body, receipts] = [await w.call("eth_getBlockByHash", [block.hash, true]), await w.call("eth_getBlockReceipts", [block.hash])];
        [content, by] = [verifyReceipts(block, receipts, body), { block }];
      }
      const i = content.transactions.findIndex((tx) => tx.hash === hash.toLowerCase());
      if (i < 0) throw new LightError("content", `transaction ${hash} is not where the node says`);
      return { transaction: content.transactions[i]!, receipt: content.receipts[i]!, by };
    });
  }

  /** Asks the endpoints, the one that is followed first, until one gives an answer that holds. */
  private async first<T>(f: (w: Wire) => Promise<T>): Promise<T> {
    const list = [this.active, ...this.o.endpoints.filter((e) => e !== this.active)];
    const faults: LightError[] = [];
    for (const endpoint of list) {
      try {
        return await f(await this.ask(endpoint));
      } catch (e) {
        if (!(e instanceof LightError)) throw e;
        e.endpoint ??= endpoint;
        faults.push(e);
      }
    }
    if (faults.length === 1) throw faults[0]!;
    const unknown = faults.every((f) => f.code === "unknown");
    throw new LightError(unknown ? "unknown" : faults.find((f) => f.code !== "unknown")!.code, faults.map((f) => `${f.endpoint}: ${f.message}`).join("; "), { cause: faults });
  }

  /** A connection for questions to the endpoint. @internal */
  async ask(endpoint: string): Promise<Wire> {
    const held = await this.asks.get(endpoint)?.catch(() => undefined);
    if (held && !held.failure) return held;
    const fresh = Wire.open(endpoint, this.wireOptions());
    this.asks.set(endpoint, fresh);
    return fresh;
  }

  /** @internal */
  wireOptions(): WireOptions {
    return { socket: this.o.socket, timeout: this.o.timeout, maxWaiting: this.o.maxWaiting };
  }

  /** Notes which endpoint is followed. @internal */
  follows(endpoint: string): void {
    this.active = endpoint;
  }

  /** Forgets blocks that are void. @internal */
  wentBack(range: Range): void {
    this.known = this.known.filter((b) => b.voucher < range.from);
  }

  /** Notes consecutive blocks that were checked; false: the chain went back meanwhile. @internal */
  vouched(voucher: Signed, blocks: readonly Block[]): boolean {
    if (this.chain.at(voucher.header.number)?.hash !== voucher.hash) return false;
    const last = this.block;
    if (last && last.hash !== blocks[0]?.parentHash) this.known = [];
    this.known = [...this.known, ...blocks].slice(-this.o.blocks);
    return true;
  }

  /** Checks the block before voucher's and those between it and the newest that was checked. @internal */
  async vouch(endpoint: string, voucher: Header, hash: Hex, alive: () => boolean): Promise<Block[]> {
    const w = await this.ask(endpoint);
    const diff = data(await until(w, "talaria_getMiniBlockDiff", hash, this.o.timeout, alive), "diff");
    const header = await until(w, "eth_getHeaderByHash", parentBlock(voucher, diff), this.o.timeout, alive);
    const blocks = [verifyBlock(voucher, diff, header)];
    const known = this.block;
    while (known && blocks[0]!.number > known.number + 1n && blocks.length < this.o.blocks) {
      const parent = blocks[0]!.parentHash;
      blocks.unshift({ ...headerOf(await until(w, "eth_getHeaderByHash", parent, this.o.timeout, alive), parent), voucher: voucher.number });
    }
    return blocks;
  }

  /**
   * Asks another endpoint for its mini-block at the height of the head: two that the leader
   * signed in one epoch are evidence. True: the other is on a later branch. @internal
   */
  async compare(endpoint: string): Promise<boolean> {
    const [head, n] = [this.head, this.o.endpoints.length];
    if (n === 1 || !head) return false;
    this.other = (this.other + 1) % n;
    if (this.o.endpoints[this.other] === endpoint) this.other = (this.other + 1) % n;
    try {
      const w = await this.ask(this.o.endpoints[this.other]!);
      const theirs = parseSigned(await w.call("talaria_getMiniBlock", [quantityHex(head.header.number)]));
      this.chain.checkSignature(theirs);
      return !isUnsigned(theirs) && theirs.header.epoch > (this.head?.header.epoch ?? 0n);
    } catch (e) {
      if (e instanceof LightError) return false; // it is not followed: nothing to complain of
      throw e;
    }
  }
}

async function accountAt(w: Wire, block: BlockHeader, address: Hex, slots: readonly Hex[]): Promise<Account> {
  return verifyAccount(block.stateRoot, address, slots, await w.call("eth_getProof", [address, slots, { blockHash: block.hash }]));
}

/** Asks for something of which a signed mini-block says that it exists, until the node has it. */
async function until(w: Wire, method: string, hash: Hex, timeout: number, alive: () => boolean = () => true): Promise<unknown> {
  for (const end = Date.now() + timeout; Date.now() < end && alive(); await sleep(20)) {
    const answer = await w.call(method, [hash]);
    if (answer === undefined) throw encodingFault(`${method} has no result`);
    if (answer !== null) return answer;
  }
  throw new LightError("stale", `${method} of ${hash}: the node does not have it`);
}

/** Waits; an abort ends it early. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
