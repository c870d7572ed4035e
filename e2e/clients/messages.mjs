// What fails on either layer, and how nobody loses by it: messages are delivered again,
// deposits stay their sender's or go back.
//
//   node messages.mjs <devnet.json> <directory of forge's artifacts> <talaria>
//
// Prints one line of JSON and exits 0 when everything held.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { Interface, Wallet, keccak256, parseEther, toBeHex, zeroPadValue } from "ethers";
import { abis, arrival, deploy, done, events, factoryL2, finalize, messengerL2, open, passer, prove, withdrawals } from "./plain.mjs";

const [infoPath, out, talaria] = process.argv.slice(2);
const user = open(infoPath, 5);
const gates = { l1: await deploy(user.on.l1, out, "Gate", "Gate"), l2: await deploy(user.on.l2, out, "Gate", "Gate") };
const gateFace = new Interface(["function enter(uint256 word) payable"]);
const enter = (word) => gateFace.encodeFunctionData("enter", [word]);
const portal = user.at("portal", abis.portal);
const one = parseEther("1");
const messengerL1 = user.at("l1CrossDomainMessenger", abis.messenger);
const onL2 = user.at(messengerL2, abis.messenger, "l2");
const message = (receipt, value) => {
  const [sent] = events(receipt, abis.messenger, "SentMessage");
  return [sent.messageNonce, sent.sender, sent.target, value, sent.gasLimit, sent.message];
};

// A message to L2 that fails there waits, and is delivered again, by anybody, with its ether.
const refused = await done(messengerL1.sendMessage(gates.l2.target, enter(11), 200_000, { value: one }));
let there = await arrival(user, refused);
assert.equal(there.status, 1);
assert.equal(events(there, abis.messenger, "FailedRelayedMessage").length, 1);
assert.equal(await gates.l2.count(), 0n);
await done(gates.l2.set(true));
const other = open(infoPath, 6).at(messengerL2, abis.messenger, "l2");
await done(other.relayMessage(...message(refused, one), { gasLimit: 1_000_000 }));
assert.deepEqual([await gates.l2.word(), await gates.l2.sender(), await user.l2.getBalance(gates.l2.target)], [11n, user.address, one]);
await assert.rejects(other.relayMessage.staticCall(...message(refused, one)), /revert/); // not twice
await done(gates.l2.set(false));

// Those whose sender would rather have its ether back: one by the plain ABI, one by talaria.
const regretted = await done(messengerL1.sendMessage(gates.l2.target, enter(12), 200_000, { value: one }));
await arrival(user, regretted);
const [back] = withdrawals(await done(onL2.refundMessage(...message(regretted, one), { gasLimit: 1_000_000 })));
const bridgeCommand = (account, ...args) =>
  execFileSync(talaria, ["bridge", ...args, "--devnet", infoPath, "--account", String(account), "--json"], { stdio: ["ignore", "pipe", "pipe"] });
const rued = await done(messengerL1.sendMessage(gates.l2.target, enter(13), 200_000, { value: one }));
await arrival(user, rued);
assert.throws(() => bridgeCommand(6, "refund", rued.hash), /only who sent the message/);
assert.throws(() => bridgeCommand(5, "refund", regretted.hash), /taken back before/);
assert.throws(() => bridgeCommand(5, "refund", rued.hash, "--index", "1"), /1 messages/);
assert.throws(() => bridgeCommand(5, "refund", rued.hash, "--max-l2-gas-price", "0.000000001"), /--max-l2-gas-price/);
const { transactionHash } = JSON.parse(bridgeCommand(5, "refund", rued.hash));
const [ruedBack] = withdrawals(await user.l2.getTransactionReceipt(transactionHash));
assert.equal(ruedBack.tuple[3], one);
await assert.rejects(other.relayMessage.staticCall(...message(regretted, one)), /revert/); // not both

// A deposit whose call fails on L2, for want of will or of gas, stays its sender's there.
for (const gas of [100_000, 21_000]) {
  const before = await user.l2.getBalance(user.address);
  there = await arrival(user, await done(portal.depositTransaction(gates.l2.target, one, gas, false, "0x", { value: one })));
  assert.equal(there.status, 0);
  assert.equal(await user.l2.getBalance(user.address), before + one);
}

// A contract's deposit that fails is its alias's, for whom the contract speaks.
const alias = zeroPadValue(toBeHex((BigInt(gates.l1.target) + 0x1111000000000000000000000000000000001111n) % (1n << 160n)), 20);
there = await arrival(user, await done(gates.l1.deposit(portal.target, gates.l2.target, one, 100_000, "0x", { value: one })));
assert.equal(there.status, 0);
assert.equal(await user.l2.getBalance(alias), one);
const heir = Wallet.createRandom().address;
const order = new Interface(abis.passer).encodeFunctionData("initiateWithdrawal", [heir, 100_000, "0x"]);
there = await arrival(user, await done(gates.l1.deposit(portal.target, passer, one, 200_000, order)));
assert.equal(there.status, 1);
const [inherited] = withdrawals(there);

// Ether and tokens that the bridge cannot give out on L2 go back to their sender.
const bridge = user.at("l1StandardBridge", abis.bridgeL1);
there = await arrival(user, await done(bridge.depositETHTo(gates.l2.target, 200_000, "0x", { value: one })));
const [ether] = withdrawals(there);
const coin = await deploy(user.on.l1, out, "Coin", "Coin", "Silver", "SLV");
const made = await done(user.at(factoryL2, abis.tokenFactory, "l2").createOptimismMintableERC20(gates.l1.target, "Other", "OTH"));
const [{ localToken: wrong }] = events(made, abis.tokenFactory, "OptimismMintableERC20Created");
await done(coin.approve(bridge.target, 70));
there = await arrival(user, await done(bridge.depositERC20To(coin.target, wrong, heir, 70, 200_000, "0x")));
const [token] = withdrawals(there);
const coins = await coin.balanceOf(user.address);

// A message to L1 that will fail there.
const sent = await done(onL2.sendMessage(gates.l1.target, enter(21), 200_000, { value: one }));
const [toL1] = withdrawals(sent);

await prove(user, [back, ruedBack, inherited, ether, token, toL1]);
const paid = async (withdrawal) => {
  const before = await user.l1.getBalance(user.address);
  const receipt = await finalize(user, withdrawal);
  return (await user.l1.getBalance(user.address)) - before + receipt.gasUsed * receipt.gasPrice;
};
assert.equal(await paid(back), one);
assert.equal(await paid(ruedBack), one);
assert.equal(await paid(ether), one);
assert.equal(await paid(token), 0n);
assert.equal(await coin.balanceOf(user.address), coins + 70n);
await finalize(user, inherited);
assert.equal(await user.l1.getBalance(heir), one);

// It failed: its ether waits at the messenger, its status says so, and talaria tries again.
const failed = await finalize(user, toL1);
assert.equal(events(failed, abis.messenger, "FailedRelayedMessage").length, 1);
const status = () => user.l2.send("talaria_withdrawalStatus", [toL1.hash]);
assert.equal((await status()).state, "failed");
const again = () => bridgeCommand(6, "finalize", toL1.hash);
assert.throws(again, /failed again/);
await done(gates.l1.set(true));
assert.equal(JSON.parse(again()).state, "finalized");
assert.deepEqual([await gates.l1.word(), await gates.l1.sender(), await user.l1.getBalance(gates.l1.target)], [21n, user.address, one]);
assert.equal(await messengerL1.successfulMessages(keccak256(toL1.tuple[5])), true);

console.log(JSON.stringify({ replayed: 2, refunds: 6 }));
process.exit(0);
