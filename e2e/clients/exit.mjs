// A way out without any operator: a withdrawal by a forced transaction, with viem's
// op-stack actions as they are.
//
//   node exit.mjs <devnet.json> <JSON-RPC of a replica>
//
// Prints one line of JSON and exits 0 when the ether is out.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createPublicClient, createWalletClient, defineChain, encodeFunctionData, http, parseAbi, parseEther } from "viem";
import { generatePrivateKey, privateKeyToAccount, privateKeyToAddress } from "viem/accounts";
import { getL2TransactionHashes, publicActionsL1, publicActionsL2, walletActionsL1 } from "viem/op-stack";

const [infoPath, replica] = process.argv.slice(2);
const info = JSON.parse(readFileSync(infoPath, "utf8"));
const account = privateKeyToAccount(info.accounts[3].privateKey);
const stranger = privateKeyToAddress(generatePrivateKey());

const nativeCurrency = { name: "Ether", symbol: "ETH", decimals: 18 };
const at = (address) => ({ [info.l1.chainId]: { address } });
const l1 = defineChain({
  id: info.l1.chainId,
  name: "L1",
  nativeCurrency,
  rpcUrls: { default: { http: [info.l1.httpUrl] } },
  contracts: { multicall3: { address: "0xcA11bde05977b3631167028862bE2a173976CA11" } },
});
const l2 = defineChain({
  id: info.l2.chainId,
  name: "L2",
  nativeCurrency,
  rpcUrls: { default: { http: [replica] } },
  sourceId: l1.id,
  contracts: { portal: at(info.contracts.portal), disputeGameFactory: at(info.contracts.disputeGameFactory) },
});
const options = (chain) => ({ chain, transport: http(), pollingInterval: 200 });
const onL1 = createPublicClient(options(l1)).extend(publicActionsL1());
const onL2 = createPublicClient(options(l2)).extend(publicActionsL2());
const wallet = createWalletClient({ account, ...options(l1) }).extend(walletActionsL1());

async function done(client, hash) {
  const receipt = await client.waitForTransactionReceipt({ hash, timeout: 60_000 });
  assert.equal(receipt.status, "success");
  return receipt;
}

// until repeats a question to L1 until the answer is yes.
async function until(what, question) {
  for (let tries = 0; !(await question()); tries++) {
    assert.ok(tries < 200, what);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

// Ether out of what the account has on L2, by a transaction that only L1 sees.
const amount = parseEther("1.25");
const before = await onL2.getBalance({ address: account.address });
const data = encodeFunctionData({
  abi: parseAbi(["function initiateWithdrawal(address target, uint256 gasLimit, bytes data) payable"]),
  functionName: "initiateWithdrawal",
  args: [stranger, 100_000n, "0x"],
});
const forced = await wallet.depositTransaction({
  request: { gas: 200_000n, to: "0x4200000000000000000000000000000000000016", value: amount, data }, targetChain: l2,
});
const [hash] = getL2TransactionHashes(await done(onL1, forced));
const started = Date.now();
const receipt = await done(onL2, hash);
const waited = Date.now() - started;
assert.equal(await onL2.getBalance({ address: account.address }), before - amount);

const { game, output, withdrawal } = await onL1.waitToProve({ receipt, targetChain: l2 });
await until("L1 stands still", async () => (await onL1.getBlock()).timestamp > game.timestamp);
await done(onL1, await wallet.proveWithdrawal(await onL2.buildProveWithdrawal({ account, output, withdrawal })));
const escrow = await onL1.getBalance({ address: info.contracts.portal });
await until("not ready to finalise", async () => (await onL1.getWithdrawalStatus({ receipt, targetChain: l2 })) === "ready-to-finalize");
await done(onL1, await wallet.finalizeWithdrawal({ targetChain: l2, withdrawal }));
assert.equal(await onL1.getWithdrawalStatus({ receipt, targetChain: l2 }), "finalized");
assert.equal(await onL1.getBalance({ address: stranger }), amount);
assert.equal(await onL1.getBalance({ address: info.contracts.portal }), escrow - amount);
await assert.rejects(wallet.finalizeWithdrawal({ targetChain: l2, withdrawal }), /AlreadyFinalized|reverted/);

console.log(JSON.stringify({ ether: amount.toString(), includedAfterMs: waited }));
