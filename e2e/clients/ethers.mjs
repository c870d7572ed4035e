// What an application does with ethers: deploy, transfer, wait, listen.
//
//   node ethers.mjs <http url> <ws url> <private key> <artifact of Coin.sol>
//
// Prints one line of JSON and exits 0 when everything held.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Contract, ContractFactory, JsonRpcProvider, Wallet, WebSocketProvider, parseEther } from "ethers";
import { eventually } from "./watch.mjs";

const [httpUrl, wsUrl, key, artifactPath] = process.argv.slice(2);
const { abi, bytecode } = JSON.parse(readFileSync(artifactPath, "utf8"));
const other = "0x0000000000000000000000000000000000000B0b";

const overHttp = new JsonRpcProvider(httpUrl, undefined, { pollingInterval: 100, cacheTimeout: -1 });
const polling = new JsonRpcProvider(httpUrl, undefined, { polling: true, pollingInterval: 100, cacheTimeout: -1 });
const overWs = new WebSocketProvider(wsUrl);
const wallet = new Wallet(key, overHttp);

const before = await overHttp.getBalance(other);
const payment = await wallet.sendTransaction({ to: other, value: parseEther("0.25") });
const paid = await payment.wait();
assert.equal(paid.status, 1);
assert.equal(await overHttp.getBalance(other), before + parseEther("0.25"));

const factory = new ContractFactory(abi, bytecode.object, wallet);
const coin = await factory.deploy("Copper", "COP");
await coin.waitForDeployment();
const address = await coin.getAddress();
assert.equal(await coin.name(), "Copper");

const supply = await coin.totalSupply();

const blocks = { http: [], ws: [] };
const events = { http: [], polling: [], ws: [] };
await overHttp.on("block", (number) => blocks.http.push(number));
await overWs.on("block", (number) => blocks.ws.push(number));
const listening = new Contract(address, abi, overWs);
await coin.on("Transfer", (_from, _to, value) => events.http.push(value));
// The one asks a filter on the node for its changes, the other eth_getLogs.
await new Contract(address, abi, polling).on("Transfer", (_from, _to, value) => events.polling.push(value));
await listening.on("Transfer", (_from, _to, value) => events.ws.push(value));
// Filters over HTTP count from the block in which they were made.
const started = await overHttp.getBlockNumber();
if ((await overHttp.getNetwork()).chainId !== 31337n) {
  await eventually("a block", async () => (await overHttp.getBlockNumber()) > started);
}

const amounts = [5n, 7n, 11n];
for (const amount of amounts) {
  const sent = await coin.transfer(other, amount);
  const receipt = await sent.wait();
  assert.equal(receipt.status, 1);
  assert.equal(receipt.logs.length, 1);
}
assert.equal(await coin.balanceOf(other), 23n);
assert.equal(await coin.transfer.staticCall(other, 1n), true);
await assert.rejects(coin.transferFrom(other, wallet.address, 1n), /ERC20InsufficientAllowance|reverted/);

for (const transport of ["http", "polling", "ws"]) {
  // The one that polls may begin in the block that created the coin.
  const seen = () => events[transport].filter((value) => value !== supply);
  await eventually(`events over ${transport}`, async () => seen().length >= amounts.length);
  assert.deepEqual(seen(), amounts, transport);
}
for (const transport of ["http", "ws"]) {
  await eventually(`blocks over ${transport}`, async () => blocks[transport].length >= 2);
  assert.ok(blocks[transport].every((n, i) => i === 0 || n > blocks[transport][i - 1]), `blocks over ${transport}: ${blocks[transport]}`);
}
const block = await overHttp.getBlock(paid.blockNumber, true);
assert.ok(block.prefetchedTransactions.some((tx) => tx.hash === payment.hash));
assert.equal((await coin.queryFilter("Transfer", paid.blockNumber)).length, amounts.length + 1);
assert.ok((await overHttp.getFeeData()).maxFeePerGas);

console.log(JSON.stringify({ ok: true, address, blocks: blocks.ws.length, events: events.ws.length }));
process.exit(0);
