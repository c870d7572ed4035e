// Follows a running chain through a proxy that lies in ways that its path names, with an
// honest node as the second endpoint.
//
//   node devnet.mjs <ws url of the proxy, without path> <ws url of the node> <chain id> <leader> <funded account> <transaction>
//
// Prints one line of JSON and exits 0 when every lie was caught.
import assert from "node:assert/strict";
import WebSocket from "ws";
import { LightClient, LightError } from "../dist/index.js";

const [proxy, node, chainId, leader, account, hash] = process.argv.slice(2);
const trust = { chainId: BigInt(chainId), leaders: [{ address: leader }] };

/** Runs a client until f resolves; f gets it and a function that waits for an event. */
async function withClient(endpoints, options, f) {
  const client = new LightClient({ trust, endpoints, socket: WebSocket, minBackoff: 10, ...options });
  const stop = new AbortController();
  const events = [];
  let look = () => {};
  const event = (wanted) => new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no such event: ${wanted}, but ${events.map((e) => e.fault?.message ?? e.kind)}`)), 20_000);
    look = () => {
      const found = events.find(wanted);
      if (found) {
        clearTimeout(timer);
        resolve(found);
      }
    };
    look();
  });
  const running = client.run((e) => { events.push(e); look(); }, stop.signal);
  try {
    return await Promise.race([f(client, event), running.then(() => assert.fail("run ended"))]);
  } finally {
    stop.abort();
    await running.catch(() => {});
    await client.close();
  }
}

const result = await withClient([`${proxy}/nothing`], {}, async (client, event) => {
  const { block } = await event((e) => e.kind === "block");
  const first = block.number;
  await event((e) => e.kind === "block" && e.block.number === first + 1n);
  const { account: a } = await client.account(account);
  const genesis = await client.blockAt(0n);
  const { receipt, transaction, by } = await client.transaction(hash);
  return {
    number: Number(first), hash: block.hash, genesis: genesis.hash, balance: a.balance.toString(), status: receipt.success, gasUsed: Number(receipt.gasUsed),
    sender: transaction.sender(), by: Object.keys(by)[0],
  };
});

// Lies on the stream and about blocks: the endpoint is left, and the chain goes on.
await Promise.all(Object.entries({ signature: "signature", dropped: "gap", receipt: "content", diff: "content", header: "block", stale: "stale" }).map(([lie, code]) =>
  withClient([`${proxy}/${lie}`, node], { staleAfter: 2_500 }, async (client, event) => {
    const { fault } = await event((e) => e.kind === "fault");
    assert.equal(fault.code, code, `${lie}: ${fault.message}`);
    assert.equal(fault.endpoint, `${proxy}/${lie}`);
    const { block } = await event((e) => e.kind === "block" && e.block.number > 0n);
    await event((e) => e.kind === "block" && e.block.number > block.number);
  })));

// Lies in answers: another endpoint is asked, or the question fails.
await Promise.all([
  ["balance", "proof", (c) => c.account(account)],
  ["receipts", "content", (c) => c.transaction(hash)],
].map(async ([lie, code, ask]) => {
  await withClient([`${proxy}/${lie}`], {}, async (client, event) => {
    await event((e) => e.kind === "block");
    await assert.rejects(ask(client), (e) => e instanceof LightError && e.code === code, lie);
  });
  await withClient([`${proxy}/${lie}`, node], {}, async (client, event) => {
    await event((e) => e.kind === "block");
    await ask(client);
  });
}));
console.log(JSON.stringify({ ok: true, ...result }));
