// What a wallet is told of fees with viem's op-stack actions as they are, and what is
// charged: to the wei.
//
//   node fees.mjs <devnet.json>
//
// Nobody else may use the chain. Prints one line of JSON and exits 0 when everything held.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createPublicClient, createWalletClient, defineChain, http, parseAbi, parseEther, parseGwei, serializeTransaction, toFunctionSelector } from "viem";
import { generatePrivateKey, mnemonicToAccount, privateKeyToAccount } from "viem/accounts";
import { chainConfig, publicActionsL2 } from "viem/op-stack";
import { eventually } from "./watch.mjs";

const info = JSON.parse(readFileSync(process.argv[2], "utf8"));
const nativeCurrency = { name: "Ether", symbol: "ETH", decimals: 18 };
const define = (name, layer, more) => defineChain({ id: layer.chainId, name, nativeCurrency, rpcUrls: { default: { http: [layer.httpUrl] } }, ...more });
const l1 = define("L1", info.l1);
const l2 = define("L2", info.l2, { ...chainConfig, sourceId: info.l1.chainId });
const options = (chain) => ({ chain, transport: http(), pollingInterval: 50 });
const onL2 = createPublicClient(options(l2)).extend(publicActionsL2());
const onL1 = createPublicClient(options(l1));
const rich = createWalletClient({ account: privateKeyToAccount(info.accounts[0].privateKey), ...options(l2) });
// The key of the operator, who owns SystemConfig.
const owner = createWalletClient({ account: mnemonicToAccount("test test test test test test test test test test test junk", { addressIndex: 10 }), ...options(l1) });

const vaults = { sequencer: "0x4200000000000000000000000000000000000011", base: "0x4200000000000000000000000000000000000019", l1: "0x420000000000000000000000000000000000001A" };
const oracle = chainConfig.contracts.gasPriceOracle.address;
const oracleAbi = parseAbi([
  "function getL1Fee(bytes) view returns (uint256)", "function l1BaseFee() view returns (uint256)", "function blobBaseFee() view returns (uint256)",
  "function baseFeeScalar() view returns (uint32)", "function blobBaseFeeScalar() view returns (uint32)",
]);
const ask = (functionName, blockNumber, args = []) => onL2.readContract({ address: oracle, abi: oracleAbi, functionName, args, blockNumber });
const raw = (hash) => onL2.request({ method: "eth_getTransactionReceipt", params: [hash] });
const other = "0x00000000000000000000000000000000000fee55";

async function done(client, hash) {
  const receipt = await client.waitForTransactionReceipt({ hash, timeout: 30_000 });
  await eventually("the block is sealed", async () => (await client.getBlockNumber()) >= receipt.blockNumber);
  return receipt;
}

const paid = (r) => r.gasUsed * r.effectiveGasPrice + r.l1Fee;

// settled compares the receipt of the only user transaction of its block with the balances.
async function settled(receipt, from, value) {
  const [before, after] = [receipt.blockNumber - 1n, receipt.blockNumber];
  const gained = async (address) => (await onL2.getBalance({ address, blockNumber: after })) - (await onL2.getBalance({ address, blockNumber: before }));
  const { baseFeePerGas } = await onL2.getBlock({ blockNumber: after });
  assert.equal(await gained(from), -(paid(receipt) + value), "what the sender lost");
  assert.equal(await gained(vaults.l1), receipt.l1Fee, "the L1 fee vault");
  assert.equal(await gained(vaults.base), receipt.gasUsed * baseFeePerGas, "the base fee vault");
  assert.equal(await gained(vaults.sequencer), receipt.gasUsed * (receipt.effectiveGasPrice - baseFeePerGas), "the sequencer's vault");
  // The receipt's prices are the oracle's in that block.
  assert.equal(receipt.l1GasPrice, await ask("l1BaseFee", after));
  const r = await raw(receipt.transactionHash);
  assert.equal(BigInt(r.l1BlobBaseFee), await ask("blobBaseFee", after));
  assert.equal(Number(r.l1BaseFeeScalar), await ask("baseFeeScalar", after));
  assert.equal(Number(r.l1BlobBaseFeeScalar), await ask("blobBaseFeeScalar", after));
  // A call without a price sees a base fee of zero, as everywhere.
  const priced = await onL2.call({ account: rich.account, to: oracle, data: toFunctionSelector("gasPrice()"), gas: 100_000n, gasPrice: baseFeePerGas, blockNumber: after });
  assert.equal(baseFeePerGas, BigInt(priced.data));
  // The history knows what was paid.
  const history = await onL2.getFeeHistory({ blockCount: 1, blockNumber: after, rewardPercentiles: [50] });
  assert.equal(history.baseFeePerGas[0], baseFeePerGas);
  assert.equal(history.reward[0][0], receipt.effectiveGasPrice - baseFeePerGas);
  const next = await eventually("a block behind", async () => onL2.getBlock({ blockNumber: after + 1n }).catch(() => null));
  assert.equal(history.baseFeePerGas[1], next.baseFeePerGas, "the base fee that the history foretells");
}

// fresh is an account that owns so much, and nothing has happened since.
async function fresh(value) {
  const account = privateKeyToAccount(generatePrivateKey());
  await done(onL2, await rich.sendTransaction({ to: account.address, value }));
  const block = await onL2.getBlockNumber();
  await eventually("the next block", async () => (await onL2.getBlockNumber()) > block);
  return createWalletClient({ account, ...options(l2) });
}

// A transfer, a call with much data, a creation, and each type of transaction.
const wallet = await fresh(parseEther("1"));
const from = wallet.account.address;
const noise = `0x${Array.from({ length: 700 }, (_, i) => (((i * i * i + 91 * i) >> 3) & 255).toString(16).padStart(2, "0")).join("")}`;
const requests = [
  { to: other, value: 5n }, { to: other, data: noise }, { data: "0x6001600055", gas: 100_000n },
  { to: other, value: 1n, type: "legacy" }, { to: other, type: "eip2930", accessList: [{ address: other, storageKeys: [] }], data: noise },
];
for (const request of requests) {
  const receipt = await done(onL2, await wallet.sendTransaction(request));
  assert.ok(receipt.l1Fee > 0n);
  await settled(receipt, from, request.value ?? 0n);
  // The oracle knows the transaction without its signature; 68 bytes stand for that.
  const { type, gas, nonce, maxFeePerGas, maxPriorityFeePerGas, gasPrice, accessList, input } = await onL2.getTransaction({ hash: receipt.transactionHash });
  const price = type === "eip1559" ? { maxFeePerGas, maxPriorityFeePerGas } : { gasPrice };
  const unsigned = serializeTransaction({ type, chainId: l2.id, gas, nonce, to: request.to, value: request.value, data: input, accessList, ...price });
  const told = await ask("getL1Fee", receipt.blockNumber, [unsigned]);
  const byte = told / 100n; // at least
  const gap = told > receipt.l1Fee ? told - receipt.l1Fee : receipt.l1Fee - told;
  assert.ok(request.data?.length > 100 ? gap <= 5n * byte : gap === 0n, `oracle ${told}, charged ${receipt.l1Fee}`);
}

// viem's estimate is what a sweep pays: it leaves nothing. L1's prices may change between
// estimate and execution; then it is tried again.
await eventually("an account is emptied to the wei", async () => {
  const wallet = await fresh(parseEther("0.01"));
  const gasPrice = await onL2.getGasPrice();
  const request = { account: wallet.account, to: other, gasPrice, type: "legacy" };
  const total = await onL2.estimateTotalFee({ ...request, value: 1n });
  const value = parseEther("0.01") - total;
  let receipt;
  try {
    assert.equal(await onL2.estimateGas({ ...request, value }), 21_000n); // the balance suffices
    receipt = await done(onL2, await wallet.sendTransaction({ ...request, gas: 21_000n, value }));
  } catch (e) {
    assert.match(String(e), /insufficient funds|gas required exceeds allowance/);
    return false;
  }
  await settled(receipt, wallet.account.address, value);
  if (paid(receipt) !== total) return false;
  assert.equal(await onL2.getBalance({ address: wallet.account.address }), 0n);
  return true;
}, 60_000);

// One wei less than it takes is refused, with the numbers.
{
  const gasPrice = parseGwei("1");
  const poor = await fresh(21_000n * gasPrice + 5n); // nothing for L1
  const signed = await poor.signTransaction({ to: other, value: 5n, gas: 21_000n, gasPrice, nonce: 0, type: "legacy" });
  await assert.rejects(onL2.request({ method: "eth_sendRawTransaction", params: [signed] }), (e) => {
    assert.match(e.details, /^insufficient funds for gas \* price \+ value: address 0x[0-9a-fA-F]{40} have 21000000000005 want \d+ \(of which \d+ for the L1 data fee\)$/);
    assert.ok([-32000, -32003].includes(e.code), `code ${e.code}`);
    return true;
  });
}

// What SystemConfig says on L1 is what is charged, and what others derive.
const config = { address: info.contracts.systemConfig, abi: parseAbi(["function setGasConfigEcotone(uint32, uint32)", "function setEIP1559Params(uint32, uint32)", "function setMinBaseFee(uint64)"]) };
// The batcher has the same key: a nonce that it takes first is tried again.
const change = (functionName, args) =>
  eventually(functionName, async () => {
    try {
      const hash = await owner.writeContract({ ...config, functionName, args });
      return (await onL1.waitForTransactionReceipt({ hash, timeout: 10_000 })).status === "success";
    } catch {
      return false;
    }
  }, 60_000);
const least = 2_500_000;
await change("setGasConfigEcotone", [40_000_000, 7_000_000]);
await change("setEIP1559Params", [50, 4]);
await change("setMinBaseFee", [BigInt(least)]);
await eventually("the scalars are charged", async () => (await ask("baseFeeScalar")) === 40_000_000 && (await ask("blobBaseFeeScalar")) === 7_000_000, 60_000);
await eventually("the base fee reaches its floor", async () => (await onL2.getBlock()).baseFeePerGas === BigInt(least), 60_000);
const extra = (await onL2.getBlock()).extraData; // version, denominator, elasticity, floor
assert.equal(extra.slice(0, 36), `0x01${[[50, 8], [4, 8], [least, 16]].map(([v, n]) => v.toString(16).padStart(n, "0")).join("")}`);
const receipt = await done(onL2, await wallet.sendTransaction({ to: other, value: 5n }));
await settled(receipt, from, 5n);
const { hash } = await onL2.getBlock({ blockNumber: receipt.blockNumber });
const { l1BaseFeeScalar, l1BlobBaseFee, l1BlobBaseFeeScalar, l1GasUsed } = await raw(receipt.transactionHash);
assert.deepEqual([Number(l1BaseFeeScalar), Number(l1BlobBaseFeeScalar), Number(l1GasUsed)], [40_000_000, 7_000_000, 1600]);
assert.equal(receipt.l1Fee, (100n * (16n * 40_000_000n * receipt.l1GasPrice + 7_000_000n * BigInt(l1BlobBaseFee))) / 1_000_000n);
// Safe is what was derived from L1 and has the same hash.
await eventually("the block is derived", async () => (await onL2.getBlock({ blockTag: "safe" })).number >= receipt.blockNumber, 60_000);
assert.equal((await onL2.getBlock({ blockNumber: receipt.blockNumber })).hash, hash);

console.log(JSON.stringify({ charged: receipt.l1Fee.toString(), block: Number(receipt.blockNumber) }));
