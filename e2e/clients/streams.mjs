// What viem and ethers make of streams over WebSocket: events with a cursor, a
// development chain that goes back, and the close with which a node tells of events
// that it cannot deliver.
//
//   node streams.mjs <http url> <ws url>
//
// Prints one line of JSON and exits 0 when everything held.
import assert from "node:assert/strict";
import net from "node:net";
import { createPublicClient, createTestClient, createWalletClient, defineChain, http, webSocket } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { WebSocketProvider } from "ethers";
import { eventually, gather } from "./watch.mjs";

const [httpUrl, wsUrl] = process.argv.slice(2);
const account = privateKeyToAccount("0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6");
const id = await createPublicClient({ transport: http(httpUrl) }).getChainId();
const chain = defineChain({ id, name: "under test", nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 }, rpcUrls: { default: { http: [httpUrl] } } });
const overHttp = createPublicClient({ chain, transport: http(), pollingInterval: 20 });
const wallet = createWalletClient({ account, chain, transport: http() });
const dev = createTestClient({ mode: "anvil", chain, transport: http() });

// A contract that logs its call's existence, nothing else.
const address = "0x0000000000000000000000000000000000010990";
await dev.setCode({ address, bytecode: "0x60006000a0" });
const log = async () => {
  const receipt = await overHttp.waitForTransactionReceipt({ hash: await wallet.sendTransaction({ to: address, gas: 50000n }) });
  assert.equal(receipt.logs.length, 1);
};

// A way to the node on which its close can be played: a frame with code 1013.
const { hostname, port } = new URL(wsUrl);
const ways = new Set();
const proxy = net.createServer((near) => {
  const far = net.connect(Number(port), hostname);
  ways.add({ near, far });
  near.pipe(far).pipe(near);
  for (const socket of [near, far]) socket.on("error", () => {}).on("close", () => { near.destroy(); far.destroy(); });
});
await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
const closeAll = () => {
  const reason = Buffer.from("missed events: client is more than 100000 behind: read faster or subscribe to less");
  for (const { near, far } of ways) {
    far.unpipe(near);
    near.end(Buffer.concat([Buffer.from([0x88, reason.length + 2, 1013 >> 8, 1013 & 0xff]), reason]));
  }
  ways.clear();
};

const overWs = createPublicClient({ chain, transport: webSocket(`ws://127.0.0.1:${proxy.address().port}`, { reconnect: { delay: 100 } }) });
const ethers = new WebSocketProvider(wsUrl);
const toClose = new WebSocketProvider(`ws://127.0.0.1:${proxy.address().port}`);
const blocks = gather((onBlock, onError) => overWs.watchBlocks({ onBlock, onError }));
const logs = gather((onLogs, onError) => overWs.watchEvent({ address, onLogs, onError }));
const seen = { blocks: [], logs: [] };
await ethers.on("block", (number) => seen.blocks.push(number));
await ethers.on({ address }, (event) => seen.logs.push(event.transactionHash));
let closed;
await toClose.on({ address }, () => {});
toClose.websocket.onclose = ({ code, reason }) => { closed = { code, reason: String(reason) }; };
await new Promise((resolve) => setTimeout(resolve, 300)); // viem subscribes in the background
await Promise.all([overWs.getBlockNumber(), ethers.getBlockNumber(), toClose.getBlockNumber()]);

const sees = async (n) => {
  await eventually(`${n} logs in viem`, () => logs.seen.flat().length >= n);
  await eventually(`${n} blocks in viem`, () => blocks.seen.length >= n);
};
const bothSee = async (n) => {
  await sees(n);
  await eventually(`${n} logs in ethers`, () => seen.logs.length >= n);
  await eventually(`${n} blocks in ethers`, () => seen.blocks.length >= n);
};
const snapshot = await dev.snapshot();
await log();
await bothSee(1);
await dev.revert({ id: snapshot });
await log();
await bothSee(2);
assert.deepEqual([...blocks.errors, ...logs.errors], []);

// The application hears of the close, and viem subscribes anew by itself.
closeAll();
await eventually("viem tells of the close", () => blocks.errors.length > 0 && logs.errors.length > 0);
await eventually("ethers' socket tells of the close", () => closed);
assert.equal(closed.code, 1013);
assert.match(closed.reason, /^missed events: /);
const before = logs.seen.flat().length;
await eventually("viem sees logs again", async () => {
  await log();
  return logs.seen.flat().length > before;
});

console.log(JSON.stringify({ ok: true, blocks: blocks.seen.length, logs: logs.seen.flat().length }));
process.exit(0);
