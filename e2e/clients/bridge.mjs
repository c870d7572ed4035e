// The bridge with viem's op-stack actions as they are: ether and an ERC-20 token in and
// out again.
//
//   node bridge.mjs <devnet.json> <artifact of Coin.sol>
//
// Prints one line of JSON and exits 0 when everything held.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createPublicClient, createWalletClient, defineChain, http, parseAbi, parseEther, parseEventLogs } from "viem";
import { generatePrivateKey, privateKeyToAccount, privateKeyToAddress } from "viem/accounts";
import { getL2TransactionHashes, getWithdrawals, publicActionsL1, publicActionsL2, walletActionsL1, walletActionsL2 } from "viem/op-stack";

const [infoPath, artifactPath] = process.argv.slice(2);
const info = JSON.parse(readFileSync(infoPath, "utf8"));
const coin = JSON.parse(readFileSync(artifactPath, "utf8"));
const account = privateKeyToAccount(info.accounts[3].privateKey);
const stranger = privateKeyToAddress(generatePrivateKey()); // who has nothing yet

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
  rpcUrls: { default: { http: [info.l2.httpUrl] } },
  sourceId: l1.id,
  contracts: {
    portal: at(info.contracts.portal),
    disputeGameFactory: at(info.contracts.disputeGameFactory),
    l1StandardBridge: at(info.contracts.l1StandardBridge),
  },
});
const options = (chain) => ({ chain, transport: http(), pollingInterval: 200 });
const onL1 = createPublicClient(options(l1)).extend(publicActionsL1());
const onL2 = createPublicClient(options(l2)).extend(publicActionsL2());
const walletL1 = createWalletClient({ account, ...options(l1) }).extend(walletActionsL1());
const walletL2 = createWalletClient({ account, ...options(l2) }).extend(walletActionsL2());

// done waits for a transaction, which must succeed.
async function done(client, hash) {
  const receipt = await client.waitForTransactionReceipt({ hash, timeout: 30_000 });
  assert.equal(receipt.status, "success");
  return receipt;
}

// arrived waits for the L2 transactions of a deposit.
async function arrived(receipt) {
  const hashes = getL2TransactionHashes(receipt);
  assert.equal(hashes.length, 1);
  return done(onL2, hashes[0]);
}

// leave proves and finalises the one withdrawal of an L2 receipt.
async function leave(receipt) {
  assert.equal(await onL1.getWithdrawalStatus({ receipt, targetChain: l2 }), "waiting-to-prove");
  const { game, output, withdrawal } = await onL1.waitToProve({ receipt, targetChain: l2 });
  // The portal wants a claim to be older than the block that refers to it.
  for (let tries = 0; (await onL1.getBlock()).timestamp <= game.timestamp; tries++) {
    assert.ok(tries < 100, "L1 stands still");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const [found] = getWithdrawals(receipt);
  assert.equal(found.withdrawalHash, withdrawal.withdrawalHash);
  await done(onL1, await walletL1.proveWithdrawal(await onL2.buildProveWithdrawal({ account, output, withdrawal })));
  await onL1.waitToFinalize({ targetChain: l2, withdrawalHash: withdrawal.withdrawalHash });
  // Its time has come by the clock of this machine; L1's may be a block behind.
  for (let tries = 0; (await onL1.getWithdrawalStatus({ receipt, targetChain: l2 })) !== "ready-to-finalize"; tries++) {
    assert.ok(tries < 100, "not ready to finalise");
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  await done(onL1, await walletL1.finalizeWithdrawal({ targetChain: l2, withdrawal }));
  assert.equal(await onL1.getWithdrawalStatus({ receipt, targetChain: l2 }), "finalized");
  return withdrawal;
}

// Ether in.
const amount = parseEther("1.25");
const deposit = await onL2.buildDepositTransaction({ account, mint: amount, to: stranger });
await arrived(await done(onL1, await walletL1.depositTransaction(deposit)));
assert.equal(await onL2.getBalance({ address: stranger }), amount);

// Ether out.
const sent = await done(onL2, await walletL2.initiateWithdrawal({ request: { gas: 100_000n, to: stranger, value: amount } }));
const escrow = await onL1.getBalance({ address: info.contracts.portal });
const withdrawal = await leave(sent);
assert.equal(await onL1.getBalance({ address: stranger }), amount);
assert.equal(await onL1.getBalance({ address: info.contracts.portal }), escrow - amount);
// Not a second time.
await assert.rejects(walletL1.finalizeWithdrawal({ targetChain: l2, withdrawal }), /AlreadyFinalized|reverted/);

// A token in, and out again, by the standard bridge.
const bridgeAbi = parseAbi([
  "function depositERC20To(address l1Token, address l2Token, address to, uint256 amount, uint32 minGasLimit, bytes extraData)",
  "function withdrawTo(address l2Token, address to, uint256 amount, uint32 minGasLimit, bytes extraData) payable",
]);
const factoryAbi = parseAbi([
  "function createOptimismMintableERC20(address remoteToken, string name, string symbol) returns (address)",
  "event OptimismMintableERC20Created(address indexed localToken, address indexed remoteToken, address deployer)",
]);
const tokenAbi = parseAbi(["function approve(address, uint256) returns (bool)", "function balanceOf(address) view returns (uint256)"]);
const { contractAddress: silver } = await done(
  onL1,
  await walletL1.deployContract({ abi: coin.abi, bytecode: coin.bytecode.object, args: ["Silver", "SLV"] }),
);
const made = await done(
  onL2,
  await walletL2.writeContract({
    address: "0x4200000000000000000000000000000000000012", abi: factoryAbi, functionName: "createOptimismMintableERC20", args: [silver, "Silver", "SLV"],
  }),
);
const [{ args: { localToken: bridged } }] = parseEventLogs({ abi: factoryAbi, logs: made.logs, eventName: "OptimismMintableERC20Created" });
const balance = (client, address, owner) => client.readContract({ address, abi: tokenAbi, functionName: "balanceOf", args: [owner] });

const coins = 1000n;
const bridge = info.contracts.l1StandardBridge;
await done(onL1, await walletL1.writeContract({ address: silver, abi: tokenAbi, functionName: "approve", args: [bridge, coins] }));
const held = await balance(onL1, silver, account.address);
await arrived(
  await done(onL1, await walletL1.writeContract({ address: bridge, abi: bridgeAbi, functionName: "depositERC20To", args: [silver, bridged, account.address, coins, 200_000, "0x"] })),
);
assert.equal(await balance(onL2, bridged, account.address), coins);
assert.equal(await balance(onL1, silver, bridge), coins);
await leave(
  await done(
    onL2,
    await walletL2.writeContract({ address: "0x4200000000000000000000000000000000000010", abi: bridgeAbi, functionName: "withdrawTo", args: [bridged, stranger, coins, 200_000, "0x"] }),
  ),
);
assert.equal(await balance(onL1, silver, stranger), coins);
assert.equal(await balance(onL1, silver, account.address), held - coins);
assert.equal(await balance(onL2, bridged, account.address), 0n);

console.log(JSON.stringify({ ether: amount.toString(), token: bridged, coins: Number(coins) }));
