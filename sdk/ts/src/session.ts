import type { Event, LightClient } from "./client.js";
import { NothingSigned } from "./chain.js";
import { parseMiniBlock } from "./content.js";
import { LightError } from "./errors.js";
import type { Signed } from "./header.js";
import type { Json } from "./hex.js";
import { Refusal, Wire } from "./wire.js";
import type { Block } from "./block.js";

/** How following one endpoint ended. */
export interface End {
  readonly error: unknown;
  /** A mini-block was added. */
  readonly progress: boolean;
  /** The endpoint does not continue the chain. */
  readonly lost: boolean;
  /** The user's function threw. */
  readonly refused: boolean;
}

/** Follows the chain over one endpoint until something is wrong. */
export async function follow(client: LightClient, endpoint: string, on: (e: Event) => void | Promise<void>, signal: AbortSignal): Promise<End> {
  const s = new Session(client, endpoint, on);
  let error: unknown;
  try {
    await s.run(signal);
  } catch (e) {
    error = e;
  }
  return { error, progress: s.progress, lost: s.lost, refused: s.refused };
}

interface Found {
  readonly blocks?: readonly Block[];
  readonly behind?: boolean;
  readonly error?: unknown;
}

class Session {
  progress = false;
  lost = false;
  refused = false;
  private gapped = false;
  /** The mini-block whose parent block is checked, and the one that comes next. */
  private busy: Signed | undefined;
  private want: Signed | undefined;
  private found: Found | undefined;
  /** Comparisons in turn that found this endpoint on a left branch. */
  private behind = 0;
  private lag: number | undefined;
  private tick = false;
  private over = false;

  constructor(private readonly c: LightClient, private readonly endpoint: string, private readonly on: (e: Event) => void | Promise<void>) {}

  async run(signal: AbortSignal): Promise<void> {
    const stream = await Wire.open(this.endpoint, this.c.wireOptions());
    let wake = (): void => {};
    const ring = (): void => wake();
    const clock = setInterval(() => {
      this.tick = true;
      ring();
    }, this.c.o.staleAfter);
    signal.addEventListener("abort", ring);
    try {
      await this.subscribe(stream);
      this.c.follows(this.endpoint);
      while (!signal.aborted) {
        const event = stream.take();
        if (event) await this.take(event, stream.ready === 0, ring);
        else if (this.found) await this.finish(this.found, ring);
        else if (this.tick) this.checkAge();
        else if (stream.failure) throw stream.failure;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
            stream.onReady(resolve);
          });
        }
      }
    } finally {
      this.over = true;
      clearInterval(clock);
      signal.removeEventListener("abort", ring);
      stream.close();
    }
  }

  /** Compares the head with this machine's clock. */
  private checkAge(): void {
    this.tick = false;
    const head = this.c.head;
    if (!head) throw new LightError("stale", `nothing signed came in ${this.c.o.staleAfter} ms`);
    const before = this.lag;
    this.lag = Date.now() - Number(head.header.timestampMicros / 1000n);
    if (this.lag > this.c.o.staleAfter && ((before !== undefined && this.lag >= before) || !this.progress)) {
      throw new LightError("stale", `mini-block ${head.header.number} is the newest, ${this.lag} ms old`);
    }
  }

  /** Asks for everything behind what was checked. Where the node's chain is another it looks for what both have. */
  private async subscribe(stream: Wire): Promise<void> {
    const places = this.c.chain.places();
    if (places.length === 0) {
      await stream.call("eth_subscribe", ["miniBlocks", null, { fromBlock: "latest" }]);
      return;
    }
    for (const { number, hash } of places) {
      const cursor = number < 0n ? "v1:m:start" : `v1:m:${number}.0:${hash.slice(2, 18)}`;
      try {
        await stream.call("eth_subscribe", ["miniBlocks", null, { cursor }]);
        return;
      } catch (e) {
        if (!(e instanceof Refusal) || (e.data as { reason?: unknown } | undefined)?.reason !== "rewound") throw e;
      }
    }
    this.lost = true;
    throw new LightError("link", "the node's chain has nothing of what was checked");
  }

  /** Handles an event; last says that no other waits. */
  private async take(event: Json, last: boolean, ring: () => void): Promise<void> {
    if (event["result"] === undefined || event["result"] === null) {
      this.gapped = true; // what follows shows by itself whether it continues the chain
      return;
    }
    const m = parseMiniBlock(event["result"]);
    let step;
    try {
      step = this.c.chain.add(m);
    } catch (e) {
      this.lost = e instanceof NothingSigned || (this.gapped && e instanceof LightError && (e.code === "gap" || e.code === "link"));
      throw e;
    }
    if (step.rewound) {
      this.c.wentBack(step.rewound);
      await this.emit({ kind: "rewind", range: step.rewound });
    }
    if (step.gap) await this.emit({ kind: "gap", range: step.gap });
    for (const miniBlock of step.added) {
      this.progress = true;
      await this.emit({ kind: "miniBlock", miniBlock });
      const { header, hash, signature } = miniBlock;
      if (header.index === 0n && header.blockNumber > 0n) this.want = { header, hash, signature };
    }
    if (this.want && (last || Date.now() - Number(this.want.header.timestampMicros / 1000n) < this.c.o.staleAfter)) this.start(ring);
  }

  private async emit(e: Event): Promise<void> {
    try {
      await this.on(e);
    } catch (cause) {
      this.refused = true;
      throw cause;
    }
  }

  /** Checks the newest sealed block, one at a time: of those that are sealed meanwhile the newest comes next, with its ancestors. */
  private start(ring: () => void): void {
    const voucher = this.want;
    if (this.busy || !voucher) return;
    [this.busy, this.want] = [voucher, undefined];
    const alive = (): boolean => !this.over && this.holds(voucher);
    const job = async (): Promise<Found> => {
      const blocks = await this.c.vouch(this.endpoint, voucher.header, voucher.hash, alive);
      return { blocks, behind: await this.c.compare(this.endpoint) };
    };
    void job().catch((error: unknown) => ({ error })).then((found) => {
      this.found = found;
      ring();
    });
  }

  private holds(s: Signed): boolean {
    return this.c.chain.at(s.header.number)?.hash === s.hash;
  }

  private async finish({ blocks, behind, error }: Found, ring: () => void): Promise<void> {
    const voucher = this.busy!;
    [this.busy, this.found] = [undefined, undefined];
    if (error !== undefined) {
      if (!(error instanceof LightError) || this.holds(voucher)) throw error;
    } else if (blocks && this.c.vouched(voucher, blocks)) {
      for (const block of blocks) await this.emit({ kind: "block", block });
    }
    this.behind = behind ? this.behind + 1 : 0;
    if (this.behind === 3) throw new LightError("stale", "another endpoint is on a later branch");
    this.start(ring);
  }
}
