// The client against nodes in this process: what a socket would bring is played from the
// vectors.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Equivocation, LightClient } from "../dist/index.js";

const vectors = JSON.parse(readFileSync(new URL("../../light/testdata/vectors.json", import.meta.url), "utf8"));
const line = (name) => vectors.lines.find((l) => l.name === name);
const trust = (l) => ({
  chainId: BigInt(vectors.trust.ChainID), leaders: vectors.trust.Leaders.map(({ address }) => ({ address })),
  checkpoint: { number: BigInt(l.checkpoint.number), hash: l.checkpoint.hash },
});

/** The class of sockets to a node that streams the mini-blocks. hangUp(sent, total) says whether it closes now. */
function nodeOf(minis, { hangUp = () => false, cursors = [] } = {}) {
  let total = 0;
  return class {
    constructor() {
      setTimeout(() => this.onopen?.({}), 0);
    }
    close() {
      this.closed = true;
    }
    send(text) {
      const { id, method, params } = JSON.parse(text);
      const answer = (result, error) => this.tell(error ? { id, error } : { id, result });
      if (method !== "eth_subscribe") return answer(null);
      const { cursor } = params[2];
      cursors.push(cursor);
      const last = minis.findLastIndex((m) => cursor === `v1:m:${Number(m.number)}.0:${m.hash.slice(2, 18)}`);
      if (last < 0 && cursor !== "v1:m:start") return answer(null, { code: -32000, message: "rewound", data: { reason: "rewound" } });
      answer("0x1");
      let sent = 0;
      for (const m of minis.slice(last + 1)) {
        this.tell({ method: "eth_subscription", params: { subscription: "0x1", result: m } });
        if (hangUp(++sent, ++total)) {
          setTimeout(() => { this.closed ||= this.onclose?.({ code: 1006 }) ?? true; }, 0);
          return;
        }
      }
    }
    tell(message) {
      setTimeout(() => { if (!this.closed) this.onmessage?.({ data: JSON.stringify(message) }); }, 0);
    }
  };
}

/** What the client tells until it has told n events. */
async function told(l, { slow = false, ...options }, n) {
  const stop = new AbortController();
  const events = [];
  const client = new LightClient({ trust: trust(l), endpoints: ["ws://node"], staleAfter: 1e9, minBackoff: 1, maxBackoff: 2, ...options });
  try {
    await client.run(async (e) => {
      if (e.kind === "miniBlock") events.push(e.miniBlock.hash);
      if (e.kind === "rewind") events.push(`rewind ${e.range.from}-${e.range.to}`);
      if (events.length === n) stop.abort();
      else if (slow) await new Promise((resolve) => setTimeout(resolve, 20));
    }, stop.signal);
  } finally {
    await client.close();
  }
  return events;
}

const deadline = { timeout: 20_000 };

test("a stream that breaks is resumed without gap or repetition", deadline, async () => {
  const l = line("in order from genesis");
  const minis = l.steps.map((s) => s.miniBlock);
  const cursors = [];
  const events = await told(l, { socket: nodeOf(minis, { hangUp: (sent) => sent === 2, cursors }) }, minis.length);
  assert.deepEqual(events, minis.map((m) => m.hash));
  assert.ok(cursors.length >= 5, `${cursors.length} subscriptions`);
});

test("after a break the client finds the branch that the leader went to", deadline, async () => {
  const l = line("the leader goes back");
  const minis = l.steps.map((s) => s.miniBlock);
  const [old, now] = [minis.slice(0, 6), [...minis.slice(0, 3), ...minis.slice(6)]];
  let socket = nodeOf(old, { hangUp: (sent) => sent === 6 });
  class Changing {
    constructor() {
      const s = new socket();
      socket = nodeOf(now);
      return s;
    }
  }
  const events = await told(l, { socket: Changing }, 10);
  assert.deepEqual(events, [...old.map((m) => m.hash), "rewind 3-5", ...now.slice(3).map((m) => m.hash)]);
});

test("equivocation ends the following for good", deadline, async () => {
  const l = line("equivocation at the head");
  await assert.rejects(told(l, { socket: nodeOf(l.steps.map((s) => s.miniBlock)) }, 99), (e) => {
    assert.ok(e instanceof Equivocation);
    e.check();
    return true;
  });
});

test("who is slower than the stream is cut off and resumes", deadline, async () => {
  const l = line("in order from genesis");
  const minis = l.steps.map((s) => s.miniBlock);
  const cursors = [];
  const size = Math.max(...minis.map((m) => JSON.stringify(m).length));
  const events = await told(l, { socket: nodeOf(minis, { cursors }), maxWaiting: 2 * size, slow: true }, minis.length);
  assert.deepEqual(events, minis.map((m) => m.hash));
  assert.ok(cursors.length > 1, "it was never cut off");
});
