// The bridge of a chain whose currency is a token of L1: the token in and out, ether in and
// out as a token, and what is refused. With viem's op-stack actions where they fit: its
// depositTransaction sends ether, so deposits are plain calls; withdrawals are its own.
//
//   node native.mjs <devnet.json>
//
// Prints one line of JSON and exits 0 when everything held.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createPublicClient, createWalletClient, defineChain, http, parseAbi, parseEther } from "viem";
import { generatePrivateKey, privateKeyToAccount, privateKeyToAddress } from "viem/accounts";
import { getL2TransactionHashes, getWithdrawals, publicActionsL1, publicActionsL2, walletActionsL1, walletActionsL2 } from "viem/op-stack";

const info = JSON.parse(readFileSync(process.argv[2], "utf8"));
const account = privateKeyToAccount(info.accounts[3].privateKey);
const stranger = privateKeyToAddress(generatePrivateKey());

const { name, symbol, decimals, l1Token: token, l2Ether } = info.l2.nativeCurrency;
assert.equal(info.contracts.nativeToken, token);
const escrow = info.contracts.nativeTokenBridge;
const at = (address) => ({ [info.l1.chainId]: { address } });
const l1 = defineChain({
  id: info.l1.chainId, name: "L1", nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [info.l1.httpUrl] } },
  contracts: { multicall3: { address: "0xcA11bde05977b3631167028862bE2a173976CA11" } },
});
const l2 = defineChain({
  id: info.l2.chainId, name: "L2", nativeCurrency: { name, symbol, decimals },
  rpcUrls: { default: { http: [info.l2.httpUrl] } },
  sourceId: l1.id,
  contracts: {
    portal: at(info.contracts.portal), disputeGameFactory: at(info.contracts.disputeGameFactory), l1StandardBridge: at(info.contracts.l1StandardBridge),
  },
});
const options = (chain) => ({ chain, transport: http(), pollingInterval: 200 });
const onL1 = createPublicClient(options(l1)).extend(publicActionsL1());
const onL2 = createPublicClient(options(l2)).extend(publicActionsL2());
const walletL1 = createWalletClient({ account, ...options(l1) }).extend(walletActionsL1());
const walletL2 = createWalletClient({ account, ...options(l2) }).extend(walletActionsL2());

const erc20 = parseAbi([
  "function approve(address, uint256) returns (bool)",
  "function balanceOf(address) view returns (uint256)",
  "function totalSupply() view returns (uint256)",
  "function name() view returns (string)",
  "function symbol() view returns (string)",
]);
const abi = parseAbi([
  "error EtherIsNotNative()",
  "error EtherWithCustomGasToken()",
  "error NotRateSetter(address caller)",
  "error RateMovesTooFar(uint64 rate, uint64 low, uint64 high)",
  "function depositERC20Transaction(address to, uint256 mint, uint256 value, uint64 gasLimit, bool isCreation, bytes data)",
  "function locked() view returns (uint256)",
  "function depositTransaction(address to, uint256 value, uint64 gasLimit, bool isCreation, bytes data) payable",
  "function depositETHTo(address to, uint32 minGasLimit, bytes extraData) payable",
  "function bridgeETHTo(address to, uint32 minGasLimit, bytes extraData) payable",
  "function withdrawTo(address l2Token, address to, uint256 amount, uint32 minGasLimit, bytes extraData) payable",
  "function sendMessage(address target, bytes message, uint32 minGasLimit) payable",
  "function gasPayingToken() view returns (address, uint8)",
  "function gasPayingTokenName() view returns (string)",
  "function gasPayingTokenSymbol() view returns (string)",
  "function isCustomGasToken() view returns (bool)",
  "function gasTokenRateTerms() view returns (uint64 rate, uint64 until, uint64 then)",
  "function setGasTokenRate(uint64 rate)",
]);
// L1Block answers one word, SystemConfig three.
const terms = parseAbi(["function gasTokenRate() view returns (uint64 rate, uint64 until, uint64 then)"]);
const word = parseAbi(["function gasTokenRate() view returns (uint64)"]);
const read = (client, address, functionName, args = [], from = abi) => client.readContract({ address, abi: from, functionName, args });
const write = (wallet, address, functionName, args, value = 0n) => wallet.writeContract({ address, abi, functionName, args, value });
// What a deposit costs on L1 depends on its block: one right behind another is estimated in
// the block of that, and needs more in its own.
const depositOnL1 = async (address, functionName, args, value = 0n) => {
  const { request } = await onL1.simulateContract({ account, address, abi, functionName, args, value });
  return arrived(await done(onL1, await walletL1.writeContract({ ...request, gas: 1_000_000n })));
};
const balance = (client, address, owner) => read(client, address, "balanceOf", [owner], erc20);
const weth = "0x4200000000000000000000000000000000000006";
const messengerL2 = "0x4200000000000000000000000000000000000007";
const bridgeL2 = "0x4200000000000000000000000000000000000010";
const l1Block = "0x4200000000000000000000000000000000000015";

async function done(client, hash) {
  const receipt = await client.waitForTransactionReceipt({ hash, timeout: 30_000 });
  assert.equal(receipt.status, "success");
  return receipt;
}

async function arrived(receipt) {
  const hashes = getL2TransactionHashes(receipt);
  assert.equal(hashes.length, 1);
  return done(onL2, hashes[0]);
}

// leave proves and finalises the one withdrawal of an L2 receipt.
async function leave(receipt) {
  const { game, output, withdrawal } = await onL1.waitToProve({ receipt, targetChain: l2 });
  for (let tries = 0; (await onL1.getBlock()).timestamp <= game.timestamp; tries++) {
    assert.ok(tries < 100, "L1 stands still");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.equal(getWithdrawals(receipt)[0].withdrawalHash, withdrawal.withdrawalHash);
  await done(onL1, await walletL1.proveWithdrawal(await onL2.buildProveWithdrawal({ account, output, withdrawal })));
  await onL1.waitToFinalize({ targetChain: l2, withdrawalHash: withdrawal.withdrawalHash });
  for (let tries = 0; (await onL1.getWithdrawalStatus({ receipt, targetChain: l2 })) !== "ready-to-finalize"; tries++) {
    assert.ok(tries < 100, "not ready to finalise");
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  await done(onL1, await walletL1.finalizeWithdrawal({ targetChain: l2, withdrawal }));
  return withdrawal;
}

// Both layers name the same currency.
for (const [client, address] of [[onL1, info.contracts.systemConfig], [onL2, l1Block]]) {
  assert.equal((await read(client, address, "gasPayingToken"))[0].toLowerCase(), token.toLowerCase());
  assert.equal(await read(client, address, "gasPayingTokenName"), name);
  assert.equal(await read(client, address, "gasPayingTokenSymbol"), symbol);
  assert.equal(await read(client, address, "isCustomGasToken"), true);
}
assert.equal(await read(onL2, weth, "symbol", [], erc20), `W${symbol}`);

// Ether is refused as currency, by name, on both layers.
const refused = (promise, reason) => assert.rejects(promise, (err) => String(err).includes(reason) || assert.fail(`${err}, want ${reason}`));
const deposit = [stranger, 0n, 100_000n, false, "0x"];
await refused(write(walletL1, info.contracts.portal, "depositTransaction", deposit, 1n), "EtherIsNotNative");
await refused(write(walletL1, info.contracts.l1CrossDomainMessenger, "sendMessage", [stranger, "0x", 100_000], 1n), "EtherIsNotNative");
await refused(write(walletL2, bridgeL2, "bridgeETHTo", [stranger, 100_000, "0x"], 1n), "EtherWithCustomGasToken");
await refused(write(walletL2, messengerL2, "sendMessage", [stranger, "0x", 100_000], 1n), "reverted");

// The currency in: held on L1, minted on L2.
const amount = parseEther("12.5");
const held = await balance(onL1, token, account.address);
await done(onL1, await walletL1.writeContract({ address: token, abi: erc20, functionName: "approve", args: [escrow, amount] }));
await depositOnL1(escrow, "depositERC20Transaction", [stranger, amount, amount, 100_000n, false, "0x"]);
assert.equal(await onL2.getBalance({ address: stranger }), amount);
assert.equal(await balance(onL1, token, escrow), amount);
assert.equal(await read(onL1, escrow, "locked"), amount);

// A message without value is delivered as ever: a deposit of the portal with nothing minted.
await depositOnL1(info.contracts.portal, "depositTransaction", deposit);

// Ether in, as a token that is there from the start.
const etherIn = parseEther("2");
await depositOnL1(info.contracts.l1StandardBridge, "depositETHTo", [account.address, 200_000, "0x"], etherIn);
assert.equal(await balance(onL2, l2Ether, account.address), etherIn);
assert.equal(await read(onL2, l2Ether, "totalSupply", [], erc20), etherIn);
assert.equal(await onL1.getBalance({ address: info.contracts.l1StandardBridge }), etherIn);

// The currency out, with viem's own actions: paid in the token.
const sent = await done(onL2, await walletL2.initiateWithdrawal({ request: { gas: 100_000n, to: stranger, value: amount } }));
const withdrawal = await leave(sent);
assert.equal(await balance(onL1, token, stranger), amount);
assert.equal(await balance(onL1, token, escrow), 0n);
assert.equal(await read(onL1, escrow, "locked"), 0n);
assert.equal(await balance(onL1, token, account.address), held - amount);
assert.equal(await onL1.getBalance({ address: stranger }), 0n);
await assert.rejects(walletL1.finalizeWithdrawal({ targetChain: l2, withdrawal }), /AlreadyFinalized|reverted/);

// Ether out.
const etherOut = parseEther("1.5");
await leave(await done(onL2, await write(walletL2, bridgeL2, "withdrawTo", [l2Ether, stranger, etherOut, 200_000, "0x"])));
assert.equal(await onL1.getBalance({ address: stranger }), etherOut);
assert.equal(await onL1.getBalance({ address: info.contracts.l1StandardBridge }), etherIn - etherOut);
assert.equal(await read(onL2, l2Ether, "totalSupply", [], erc20), etherIn - etherOut);

// What L1 says of the rate, the next blocks of L2 say too, and the L1 data fee follows it to
// the wei: by the receipt, and by what the fee's vault got. The devnet's first account sets it.
const config = info.contracts.systemConfig;
const feeOf = (receipt) => {
  const millionths = BigInt(receipt.l1BaseFeeScalar) * 16n * BigInt(receipt.l1GasPrice) + BigInt(receipt.l1BlobBaseFeeScalar) * BigInt(receipt.l1BlobBaseFee);
  const inEther = (100_000_000n * millionths) / 10n ** 12n; // a transfer counts as 100 bytes
  return (inEther * BigInt(receipt.gasTokenRate) + 999_999_999n) / 1_000_000_000n;
};
async function checkFee(counts) {
  const vault = { address: "0x420000000000000000000000000000000000001A" };
  const { transactionHash } = await done(onL2, await walletL2.sendTransaction({ to: stranger, value: 1n }));
  const receipt = await onL2.request({ method: "eth_getTransactionReceipt", params: [transactionHash] });
  assert.equal(BigInt(receipt.gasTokenRate), counts);
  assert.equal(BigInt(receipt.l1Fee), feeOf(receipt));
  const blockNumber = BigInt(receipt.blockNumber);
  for (let tries = 0; (await onL2.getBlockNumber()) < blockNumber; tries++) {
    assert.ok(tries < 100, "the block is not sealed");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const paid = (await onL2.getBalance({ ...vault, blockNumber })) - (await onL2.getBalance({ ...vault, blockNumber: blockNumber - 1n }));
  assert.equal(paid, BigInt(receipt.l1Fee)); // nobody else sends here
  assert.ok(paid > 0n, "data on L1 is free");
  return paid;
}
const [rate, until] = await read(onL1, config, "gasTokenRate", [], terms);
assert.deepEqual((await read(onL2, l1Block, "gasTokenRateTerms")).slice(0, 2), [rate, until]);
await checkFee(rate);
await refused(write(walletL1, config, "setGasTokenRate", [rate]), "NotRateSetter");
const setter = createWalletClient({ account: privateKeyToAccount(info.accounts[0].privateKey), ...options(l1) });
await refused(write(setter, config, "setGasTokenRate", [rate * 2n]), "RateMovesTooFar");
const next = (rate * 5n) / 4n;
await done(onL1, await write(setter, config, "setGasTokenRate", [next]));
for (let tries = 0; (await read(onL2, l1Block, "gasTokenRate", [], word)) !== next; tries++) {
  assert.ok(tries < 100, "the rate does not arrive");
  await new Promise((resolve) => setTimeout(resolve, 200));
}
const paid = await checkFee(next);

console.log(JSON.stringify({ token, locked: amount.toString(), ether: etherIn.toString(), l1Fee: paid.toString() }));
