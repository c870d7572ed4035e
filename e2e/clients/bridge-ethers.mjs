// Ether and an ERC-20 token in and out again with ethers, by the plain ABIs.
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

// Ether in.
const amount = parseEther("1.25");
const portal = user.at("portal", abis.portal);
await arrival(user, await done(portal.depositTransaction(stranger, amount, 100_000, false, "0x", { value: amount })));
assert.equal(await user.l2.getBalance(stranger), amount);

// A token in.
const silver = await deploy(user.on.l1, out, "Coin", "Coin", "Silver", "SLV");
const made = await done(user.at(factoryL2, abis.tokenFactory, "l2").createOptimismMintableERC20(silver.target, "Silver", "SLV"));
const [{ localToken }] = events(made, abis.tokenFactory, "OptimismMintableERC20Created");
const onL2 = new Contract(localToken, abis.token, user.on.l2);
const bridge = user.at("l1StandardBridge", abis.bridgeL1);
await done(silver.approve(bridge.target, 1000));
await arrival(user, await done(bridge.depositERC20To(silver.target, localToken, user.address, 1000, 200_000, "0x")));
assert.equal(await onL2.balanceOf(user.address), 1000n);

// Both out, under one claim.
const leaving = [
  ...withdrawals(await done(user.at(passer, abis.passer, "l2").initiateWithdrawal(stranger, 100_000, "0x", { value: amount }))),
  ...withdrawals(await done(user.at(bridgeL2, abis.bridgeL2, "l2").withdrawTo(localToken, stranger, 600, 200_000, "0x"))),
];
assert.equal(leaving.length, 2);
await prove(user, leaving);
for (const withdrawal of leaving) await finalize(user, withdrawal);
assert.equal(await user.l1.getBalance(stranger), amount);
assert.equal(await silver.balanceOf(stranger), 600n);
assert.equal(await silver.balanceOf(bridge.target), 400n);
// Not a second time.
await assert.rejects(portal.finalizeWithdrawalTransaction(leaving[0].tuple), /revert/);

console.log(JSON.stringify({ ether: amount.toString(), coins: 600 }));
process.exit(0);
