// What an application does with viem: read the chain, deploy a contract, write to
// it, wait for receipts, watch blocks and events over HTTP and over WebSocket.
//
//   node viem.mjs <http url> <ws url> <private key> <artifact of Coin.sol>
//
// Prints one line of JSON and exits 0 when everything held.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createPublicClient, createWalletClient, defineChain, encodeFunctionData, http, parseEther, webSocket } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { eventually, gather } from "./watch.mjs";

const [httpUrl, wsUrl, key, artifactPath] = process.argv.slice(2);
const { abi, bytecode } = JSON.parse(readFileSync(artifactPath, "utf8"));
const account = privateKeyToAccount(key);
const other = "0x00000000000000000000000000000000000A11cE";

const probe = createPublicClient({ transport: http(httpUrl) });
const chain = defineChain({
  id: await probe.getChainId(),
  name: "under test",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [httpUrl], webSocket: [wsUrl] } },
});
const overHttp = createPublicClient({ chain, transport: http(), pollingInterval: 100 });
const overWs = createPublicClient({ chain, transport: webSocket() });
const wallet = createWalletClient({ account, chain, transport: http() });

// A plain transfer, with the fees that viem proposes by itself.
const before = await overHttp.getBalance({ address: other });
const sent = await wallet.sendTransaction({ to: other, value: parseEther("0.5") });
const receipt = await overHttp.waitForTransactionReceipt({ hash: sent, pollingInterval: 20 });
assert.equal(receipt.status, "success");
assert.equal(receipt.gasUsed, 21000n);
assert.equal(receipt.from.toLowerCase(), account.address.toLowerCase());
assert.equal(await overHttp.getBalance({ address: other }), before + parseEther("0.5"));
assert.equal((await overHttp.getTransaction({ hash: sent })).value, parseEther("0.5"));

// Deploy OpenZeppelin's ERC-20.
const deployed = await wallet.deployContract({ abi, bytecode: bytecode.object, args: ["Silver", "SLV"] });
const { contractAddress: address } = await overHttp.waitForTransactionReceipt({ hash: deployed, pollingInterval: 20 });
assert.ok(address);
assert.ok((await overHttp.getCode({ address })).length > 2);
assert.equal(await overHttp.readContract({ address, abi, functionName: "symbol" }), "SLV");

// Watch, then write.
const event = { address, abi, eventName: "Transfer" };
const httpBlocks = gather((onBlock, onError) => overHttp.watchBlocks({ onBlock, onError, emitMissed: true }));
const wsBlocks = gather((onBlock, onError) => overWs.watchBlocks({ onBlock, onError }));
const wsHeads = gather((onBlockNumber, onError) => overWs.watchBlockNumber({ onBlockNumber, onError }));
const httpLogs = gather((onLogs, onError) => overHttp.watchContractEvent({ ...event, onLogs, onError }));
const wsLogs = gather((onLogs, onError) => overWs.watchContractEvent({ ...event, onLogs, onError }));
// A watch starts in the background: over the same socket, a later answer means that
// the subscriptions stand; over HTTP, filters count from the block they were made in.
await new Promise((resolve) => setTimeout(resolve, 300));
await overWs.getBlockNumber();

const amounts = [1n, 2n, 3n];
const hashes = [];
for (const amount of amounts) {
  const { request } = await overHttp.simulateContract({ account, address, abi, functionName: "transfer", args: [other, amount] });
  hashes.push(await wallet.writeContract(request));
}
const receipts = await Promise.all(hashes.map((hash) => overHttp.waitForTransactionReceipt({ hash, pollingInterval: 20 })));
assert.ok(receipts.every((r) => r.status === "success" && r.logs.length === 1));
assert.equal(await overHttp.readContract({ address, abi, functionName: "balanceOf", args: [other] }), 6n);

for (const [name, watch] of Object.entries({ httpLogs, wsLogs })) {
  await eventually(name, async () => watch.seen.flat().length >= amounts.length);
  assert.deepEqual(watch.seen.flat().map((log) => log.args.value), amounts, name);
  assert.deepEqual(watch.seen.flat().map((log) => log.transactionHash), hashes, name);
}
for (const [name, watch] of Object.entries({ httpBlocks, wsBlocks })) {
  await eventually(name, async () => watch.seen.length >= 2);
  for (const block of watch.seen) {
    assert.equal((await overHttp.getBlock({ blockNumber: block.number })).hash, block.hash, name);
  }
}
// Announcements are ordered. The blocks over WebSocket need not be: viem fetches one
// for each announcement, all at once, and hands them on as the answers come.
await eventually("wsHeads", async () => wsHeads.seen.length >= 2);
for (const [name, numbers] of Object.entries({ httpBlocks: httpBlocks.seen.map((block) => block.number), wsHeads: wsHeads.seen })) {
  assert.ok(numbers.every((n, i) => i === 0 || n > numbers[i - 1]), `${name} go up: ${numbers}`);
}
assert.equal(new Set(wsBlocks.seen.map((block) => block.number)).size, wsBlocks.seen.length, "wsBlocks repeat");

// History: what was announced can be queried, by range and by hash.
// A receipt from before its block sealed names no block, or none that is a block.
const isSealed = ({ blockHash }) => Boolean(blockHash) && !/^0x0+$/.test(blockHash);
await eventually("sealed receipts", async () => isSealed(await overHttp.getTransactionReceipt({ hash: hashes.at(-1) })));
const logs = await overHttp.getContractEvents({ ...event, fromBlock: receipts[0].blockNumber, toBlock: "latest", args: { to: other } });
assert.deepEqual(logs.map((log) => log.args.value), amounts);
const sealed = await overHttp.getTransactionReceipt({ hash: hashes[0] });
const block = await overHttp.getBlock({ blockHash: sealed.blockHash, includeTransactions: true });
assert.ok(block.transactions.some((tx) => tx.hash === hashes[0]));
const fees = await overHttp.getFeeHistory({ blockCount: 2, rewardPercentiles: [25, 75] });
assert.ok(fees.baseFeePerGas.length >= 2);
assert.ok(await overHttp.estimateFeesPerGas());

for (let i = 0; i < fees.gasUsedRatio.length; i++) {
  const { baseFeePerGas } = await overHttp.getBlock({ blockNumber: fees.oldestBlock + BigInt(i) });
  assert.equal(fees.baseFeePerGas[i], baseFeePerGas);
}
const proof = await overHttp.getProof({ address, storageKeys: [], blockNumber: block.number });
assert.ok(proof.accountProof.length > 0 && proof.nonce === 1);
const data = encodeFunctionData({ abi, functionName: "transfer", args: [other, 4n] });
const { accessList } = await overHttp.createAccessList({ account: account.address, to: address, data });
assert.ok(accessList.some((entry) => entry.address.toLowerCase() === address.toLowerCase() && entry.storageKeys.length === 2));

// Two blocks that are not: the second sees what the first did, the chain sees nothing.
const readBalance = { to: address, abi, functionName: "balanceOf", args: [other] };
const simulated = await overHttp.simulateBlocks({
  blocks: [{ calls: [{ account: account.address, to: address, data }] }, { calls: [readBalance] }],
});
assert.equal(simulated[0].calls[0].status, "success");
assert.equal(simulated[0].calls[0].logs.length, 1);
assert.equal(simulated[1].calls[0].result, 10n);
assert.equal(simulated[1].number, simulated[0].number + 1n);
assert.equal(await overHttp.readContract({ address, abi, functionName: "balanceOf", args: [other] }), 6n);

// Errors must be the ones that viem knows by name.
const refused = async (promise) => promise.then(() => "no error", (e) => e.walk((x) => x.name && x.name !== e.name)?.name ?? e.name);
const nonce = await overHttp.getTransactionCount({ address: account.address });
assert.equal(await refused(wallet.sendTransaction({ to: other, value: 1n, gas: 21000n, nonce: nonce - 1 })), "NonceTooLowError");
assert.equal(await refused(wallet.sendTransaction({ to: other, value: parseEther("1000000000"), gas: 21000n })), "InsufficientFundsError");
await assert.rejects(overHttp.simulateContract({ account, address, abi, functionName: "transferFrom", args: [other, account.address, 1n] }), /ERC20InsufficientAllowance/);

for (const watch of [httpBlocks, wsBlocks, wsHeads, httpLogs, wsLogs]) {
  watch.stop();
  assert.deepEqual(watch.errors, []);
}
console.log(JSON.stringify({ ok: true, address, blocks: wsBlocks.seen.length, events: wsLogs.seen.flat().length }));
process.exit(0);
