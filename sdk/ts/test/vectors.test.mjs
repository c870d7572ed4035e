// The vectors that the Go client's tests make and check: what one of the two takes or
// refuses the other does, too.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  Chain, Equivocation, LightError, headerHash, lastMiniBlock, parseHeader, parseMiniBlock, parseSigned, signedJson, signer, verifyAccount, verifyBlock, verifyReceipts,
} from "../dist/index.js";

const read = (path) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
const vectors = read("../../light/testdata/vectors.json");
const hex = (bytes) => `0x${Buffer.from(bytes).toString("hex")}`;
const quantity = (n) => `0x${n.toString(16)}`;

const trust = {
  chainId: BigInt(vectors.trust.ChainID),
  leaders: vectors.trust.Leaders.map((l) => ({ address: l.address, fromBlock: BigInt(l.fromBlock) })),
};

const codeOf = (e) => {
  if (e instanceof Equivocation) return "equivocation";
  assert.ok(e instanceof LightError, `${e?.stack} is neither a fault nor evidence`);
  return e.code;
};

test("hashes and signers of mini-blocks are those of the protocol's vectors", () => {
  // Its integers are JSON numbers above 2^53: as text they stay exact.
  const text = readFileSync(new URL("../../../chain/testdata/miniblock.json", import.meta.url), "utf8");
  for (const v of JSON.parse(text.replace(/: (\d+)/g, ': "$1"'))) {
    const h = Object.fromEntries(Object.entries(v.header).map(([name, value]) => [
      name[0].toLowerCase() + name.slice(1).replace("ID", "Id"), value.startsWith("0x") ? value : BigInt(value),
    ]));
    const hash = headerHash(h);
    assert.equal(hash, v.hash, v.name);
    assert.equal(signer({ header: h, hash, signature: `0x${v.signature}` }), v.signer.toLowerCase(), v.name);
  }
});

for (const v of vectors.lines) {
  test(`line: ${v.name}`, () => {
    const checkpoint = v.checkpoint && { number: BigInt(v.checkpoint.number), hash: v.checkpoint.hash };
    const chain = new Chain({ ...trust, ...(checkpoint && { checkpoint }) });
    for (const [i, want] of v.steps.entries()) {
      if (want.restart) {
        chain.restart();
        continue;
      }
      let step = { added: [] };
      let error = "";
      try {
        step = chain.add(parseMiniBlock(want.miniBlock));
      } catch (e) {
        error = codeOf(e);
      }
      const range = (r) => r && [Number(r.from), Number(r.to)];
      assert.deepEqual(
        { error, added: step.added.map((m) => m.hash), rewound: range(step.rewound), gap: range(step.gap) },
        { error: want.error ?? "", added: want.added ?? [], rewound: want.rewound, gap: want.gap }, `step ${i}`);
    }
  });
}

const transactions = (list) => list.map((t) => ({ hash: t.hash, raw: hex(t.raw), sender: t.sender(), index: quantity(t.index) }));
const receipts = (list) => list.map((r) => ({ hash: r.transactionHash, raw: hex(r.raw), gasUsed: quantity(r.gasUsed), index: quantity(r.index), block: quantity(r.blockNumber) }));

const run = {
  miniBlock({ answer }) {
    const m = parseMiniBlock(answer);
    return { hash: m.hash, transactions: transactions(m.transactions), receipts: receipts(m.receipts) };
  },
  block({ voucher, diff, header }) {
    const b = verifyBlock(parseSigned(voucher).header, Buffer.from(diff.slice(2), "hex"), header);
    return { hash: b.hash, number: Number(b.number), stateRoot: b.stateRoot, lastMiniBlock: lastMiniBlock(b) };
  },
  receipts(input) {
    const both = verifyReceipts(parseHeader(input.header), input.receipts, input.block);
    return { transactions: transactions(both.transactions), receipts: receipts(both.receipts) };
  },
  account({ root, address, slots, answer }) {
    const a = verifyAccount(root, address, slots, answer);
    return {
      exists: a.exists, nonce: quantity(a.nonce), balance: quantity(a.balance), codeHash: a.codeHash, storageRoot: a.storageRoot,
      values: slots.map((s) => a.storage.get(s)),
    };
  },
};

const edited = (v, [key, ...rest], value) => {
  if (key === undefined) return value;
  const out = Array.isArray(v) ? [...v] : { ...v };
  out[key] = edited(out[key], rest, value);
  return out;
};

for (const v of vectors.checks) {
  test(`${v.name}, and ${v.lies.length} lies about it`, () => {
    const check = run[v.kind];
    assert.deepEqual(check(v.input), v.want);
    for (const lie of v.lies) {
      const input = edited(v.input, lie.path, lie.value);
      let error = "";
      try {
        assert.deepEqual(check(input), v.want, `lie about ${lie.path.join(".")} goes through`);
      } catch (e) {
        if (e instanceof assert.AssertionError) throw e;
        error = codeOf(e);
      }
      // What cannot be encoded and what has another hash are one refusal at different places.
      const same = error === lie.error || (error !== "" && lie.error !== "" && [error, lie.error].includes("encoding"));
      assert.ok(same, `lie about ${lie.path.join(".")}: ${error || "taken"}, want ${lie.error || "no effect"}`);
    }
  });
}

test("evidence of equivocation stands by itself", () => {
  const [a, b] = [parseSigned(vectors.evidence.a), parseSigned(vectors.evidence.b)];
  new Equivocation(vectors.evidence.leader, a, b).check();
  assert.deepEqual(parseSigned(signedJson(a)), a);
  assert.throws(() => new Equivocation(vectors.evidence.leader, a, a).check());
  assert.throws(() => new Equivocation(`0x${"11".repeat(20)}`, a, b).check());
});
