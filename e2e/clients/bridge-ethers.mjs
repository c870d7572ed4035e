// The currency of L2 and an ERC-20 token in and out again with ethers, by the plain ABIs. The
// currency is ether, or a token of L1; then ether goes in and out, too, as a token.
//
//   node bridge-ethers.mjs <devnet.json> <directory of forge's artifacts>
//
// Prints one line of JSON and exits 0 when everything held.
import assert from "node:assert/strict";
import { Contract, Wallet, parseEther } from "ethers";
import { abis, arrival, bridgeL2, deploy, done, events, factoryL2, finalize, open, passer, prove, withdrawals } from "./plain.mjs";

const [infoPath, out] = process.argv.slice(2);
const user = open(infoPath, 4);
const stranger = Wallet.createRandom().address; // who has nothing yet

// The currency in.
const amount = parseEther("1.25");
const portal = user.at("portal", abis.portal);
const bridge = user.at("l1StandardBridge", abis.bridgeL1);
const { l1Token, l2Ether } = user.info.l2.nativeCurrency;
const currency = l1Token && user.at(l1Token, abis.token);
if (currency) {
  const escrow = user.at("nativeTokenBridge", abis.escrow);
  await done(currency.approve(escrow.target, amount));
  await arrival(user, await done(escrow.depositERC20Transaction(stranger, amount, amount, 100_000, false, "0x", { gasLimit: 1_000_000 })));
  await arrival(user, await done(bridge.depositETHTo(user.address, 200_000, "0x", { value: amount, gasLimit: 1_000_000 })));
} else {
  await arrival(user, await done(portal.depositTransaction(stranger, amount, 100_000, false, "0x", { value: amount })));
}
assert.equal(await user.l2.getBalance(stranger), amount);

// A token in.
const silver = await deploy(user.on.l1, out, "Coin", "Coin", "Silver", "SLV");
const made = await done(user.at(factoryL2, abis.tokenFactory, "l2").createOptimismMintableERC20(silver.target, "Silver", "SLV"));
const [{ localToken }] = events(made, abis.tokenFactory, "OptimismMintableERC20Created");
const onL2 = new Contract(localToken, abis.token, user.on.l2);
await done(silver.approve(bridge.target, 1000));
await arrival(user, await done(bridge.depositERC20To(silver.target, localToken, user.address, 1000, 200_000, "0x")));
assert.equal(await onL2.balanceOf(user.address), 1000n);

// All out, under one claim.
const withdrawTo = user.at(bridgeL2, abis.bridgeL2, "l2").withdrawTo;
const leaving = [
  ...withdrawals(await done(user.at(passer, abis.passer, "l2").initiateWithdrawal(stranger, 100_000, "0x", { value: amount }))),
  ...withdrawals(await done(withdrawTo(localToken, stranger, 600, 200_000, "0x"))),
];
const ether = currency ? amount / 2n : amount; // that comes out
if (currency) leaving.push(...withdrawals(await done(withdrawTo(l2Ether, stranger, ether, 200_000, "0x"))));
assert.equal(leaving.length, currency ? 3 : 2);
await prove(user, leaving);
for (const withdrawal of leaving) await finalize(user, withdrawal);
assert.equal(await user.l1.getBalance(stranger), ether);
if (currency) assert.equal(await currency.balanceOf(stranger), amount);
assert.equal(await silver.balanceOf(stranger), 600n);
assert.equal(await silver.balanceOf(bridge.target), 400n);
// Not a second time.
await assert.rejects(portal.finalizeWithdrawalTransaction(leaving[0].tuple), /revert/);

console.log(JSON.stringify({ ether: ether.toString(), coins: 600 }));
process.exit(0);
