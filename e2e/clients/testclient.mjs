// What a test suite does with viem's test client: set balances, code, storage and
// nonces, move the clock, send for others, take snapshots and go back.
//
//   node testclient.mjs <http url> <mode: anvil or hardhat> <artifact of Coin.sol>
//
// Prints one line of JSON and exits 0 when everything held.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createTestClient, defineChain, http, pad, parseEther, publicActions, verifyMessage, verifyTypedData, walletActions } from "viem";

const [url, mode, artifactPath] = process.argv.slice(2);
const { abi, bytecode } = JSON.parse(readFileSync(artifactPath, "utf8"));
const options = { mode, transport: http(url), pollingInterval: 20 };
const id = await createTestClient(options).extend(publicActions).getChainId();
const chain = defineChain({ id, name: "under test", nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 }, rpcUrls: { default: { http: [url] } } });
const client = createTestClient({ ...options, chain }).extend(publicActions).extend(walletActions);

const alice = "0x00000000000000000000000000000000000a11ce";
const whale = "0x00000000000000000000000000000000000e4a1e";
const height = () => client.getBlockNumber({ cacheTime: 0 });
const latest = () => client.getBlock({ blockTag: "latest" });
const done = async (hash) => {
  const receipt = await client.waitForTransactionReceipt({ hash });
  assert.equal(receipt.status, "success");
  return receipt;
};

const start = await client.snapshot();
const startHeight = await height();

// The node's own accounts sign.
const [account, second] = await client.getAddresses();
const message = "hello";
assert.ok(await verifyMessage({ address: account, message, signature: await client.signMessage({ account, message }) }));
const typed = {
  domain: { name: "Test", version: "1", chainId: id },
  types: { Mail: [{ name: "to", type: "address" }, { name: "text", type: "string" }] },
  primaryType: "Mail",
  message: { to: alice, text: "hi" },
};
assert.ok(await verifyTypedData({ ...typed, address: account, signature: await client.signTypedData({ account, ...typed }) }));

// One block for each transaction, no other.
const receipt = await done(await client.sendTransaction({ account, to: alice, value: 5n }));
assert.equal(receipt.blockNumber, startHeight + 1n);
assert.equal(await height(), startHeight + 1n);
assert.equal(receipt.blockHash, (await latest()).hash);
const { contractAddress: coin } = await done(await client.deployContract({ account, abi, bytecode: bytecode.object, args: ["Gold", "GLD"] }));

// Edits.
const before = await height();
await client.setBalance({ address: alice, value: parseEther("7") });
assert.equal(await client.getBalance({ address: alice }), parseEther("7"));
await client.setNonce({ address: alice, nonce: 420 });
assert.equal(await client.getTransactionCount({ address: alice }), 420);
const copy = "0x000000000000000000000000000000000000c0de";
await client.setCode({ address: copy, bytecode: await client.getCode({ address: coin }) });
await client.setStorageAt({ address: copy, index: 2, value: pad("0x2a") }); // totalSupply
assert.equal(await client.readContract({ address: copy, abi, functionName: "totalSupply" }), 42n);
assert.equal(await height(), before);

// Senders without a key, contracts too.
await client.setBalance({ address: whale, value: parseEther("100") });
await assert.rejects(client.sendTransaction({ account: whale, to: second, value: 1n }));
await client.impersonateAccount({ address: whale });
await done(await client.sendTransaction({ account: whale, to: alice, value: parseEther("1") }));
assert.equal(await client.getBalance({ address: alice }), parseEther("8"));
await client.stopImpersonatingAccount({ address: whale });
await assert.rejects(client.sendTransaction({ account: whale, to: second, value: 1n }));
await client.setBalance({ address: copy, value: parseEther("1") });
await client.impersonateAccount({ address: copy });
const byContract = await done(await client.writeContract({ account: copy, address: coin, abi, functionName: "approve", args: [alice, 9n] }));
assert.equal(byContract.from.toLowerCase(), copy);
assert.equal(await client.readContract({ address: coin, abi, functionName: "allowance", args: [copy, alice] }), 9n);

// The clock.
const hour = 3600;
const then = (await latest()).timestamp;
await client.increaseTime({ seconds: hour });
await client.mine({ blocks: 1 });
const later = (await latest()).timestamp - then;
assert.ok(later >= hour && later < hour + 60, `${later} s`);
const at = (await latest()).timestamp + 1_000_000n;
await client.setNextBlockTimestamp({ timestamp: at });
const timed = await done(await client.sendTransaction({ account, to: alice, value: 1n }));
assert.equal((await client.getBlock({ blockNumber: timed.blockNumber })).timestamp, at);
const mined = await height();
await client.mine({ blocks: 5, interval: 10 });
assert.equal(await height(), mined + 5n);
assert.ok((await latest()).timestamp >= at + 40n);
if (mode === "anvil") {
  await client.setBlockTimestampInterval({ interval: 100 });
  const first = (await latest()).timestamp;
  await client.mine({ blocks: 2 });
  assert.equal((await latest()).timestamp, first + 200n);
  await client.removeBlockTimestampInterval();
}
await client.setNextBlockBaseFeePerGas({ baseFeePerGas: 77_000_000n });
await client.mine({ blocks: 1 });
assert.equal((await latest()).baseFeePerGas, 77_000_000n);

// Blocks by command.
await client.setAutomine(false);
const held = await height();
const hashes = [];
for (const value of [1n, 2n, 3n]) {
  hashes.push(await client.sendTransaction({ account, to: alice, value, nonce: (await client.getTransactionCount({ address: account, blockTag: "pending" })) }));
}
assert.equal(await height(), held);
await client.mine({ blocks: 1 });
for (const hash of hashes) {
  assert.equal((await client.getTransactionReceipt({ hash })).blockNumber, held + 1n);
}
await client.setAutomine(true);
assert.equal(await client.getAutomine(), true);

// Back to the start, and nothing of it remains; twice, as after each test of a suite.
assert.ok((await height()) > startHeight);
await client.revert({ id: start });
for (let round = 0; round < 3; round++) {
  const id = await client.snapshot();
  assert.equal(await height(), startHeight);
  assert.equal(await client.getCode({ address: copy }), undefined);
  assert.equal(await client.getTransactionCount({ address: alice }), 0);
  await client.setBalance({ address: alice, value: 1n });
  await done(await client.sendTransaction({ account, to: alice, value: 1n }));
  assert.equal(await client.getBalance({ address: alice }), 2n);
  await client.revert({ id });
}
await client.mine({ blocks: 1 });

console.log(JSON.stringify({ ok: true, mode }));
