// The bridge by the plain ABIs, with ethers: what other clients know as chains and actions
// is here a handful of calls.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Contract, ContractFactory, HDNodeWallet, Interface, JsonRpcProvider, Wallet, concat, dataSlice, encodeRlp, keccak256, stripZerosLeft, toBeHex, zeroPadValue } from "ethers";
import { eventually } from "./watch.mjs";

export const passer = "0x4200000000000000000000000000000000000016";
export const messengerL2 = "0x4200000000000000000000000000000000000007";
export const bridgeL2 = "0x4200000000000000000000000000000000000010";
export const factoryL2 = "0x4200000000000000000000000000000000000012";

const withdrawalTuple = "(uint256 nonce, address sender, address target, uint256 value, uint256 gasLimit, bytes data)";
export const abis = {
  portal: [
    "event TransactionDeposited(address indexed from, address indexed to, uint256 indexed version, bytes opaqueData)",
    "function depositTransaction(address to, uint256 value, uint64 gasLimit, bool isCreation, bytes data) payable",
    `function proveWithdrawalTransaction(${withdrawalTuple} tx, uint256 index, (bytes32 version, bytes32 stateRoot, bytes32 messagePasserStorageRoot, bytes32 latestBlockhash) output, bytes[] proof)`,
    `function finalizeWithdrawalTransaction(${withdrawalTuple} tx)`,
    "function finalizedWithdrawals(bytes32) view returns (bool)",
    "function checkWithdrawal(bytes32 hash, address submitter) view",
  ],
  escrow: ["function depositERC20Transaction(address to, uint256 mint, uint256 value, uint64 gasLimit, bool isCreation, bytes data)"],
  factory: [
    "function gameCount() view returns (uint256)",
    "function gameAtIndex(uint256) view returns (uint32 gameType, uint64 timestamp, address proxy)",
  ],
  game: ["function l2BlockNumber() view returns (uint256)"],
  passer: [
    "event MessagePassed(uint256 indexed nonce, address indexed sender, address indexed target, uint256 value, uint256 gasLimit, bytes data, bytes32 withdrawalHash)",
    "function initiateWithdrawal(address target, uint256 gasLimit, bytes data) payable",
  ],
  messenger: [
    "event SentMessage(address indexed target, address sender, bytes message, uint256 messageNonce, uint256 gasLimit)",
    "event FailedRelayedMessage(bytes32 indexed msgHash)",
    "event RelayedMessage(bytes32 indexed msgHash)",
    "function sendMessage(address target, bytes message, uint32 minGasLimit) payable",
    "function relayMessage(uint256 nonce, address sender, address target, uint256 value, uint256 minGasLimit, bytes message) payable",
    "function refundMessage(uint256 nonce, address sender, address target, uint256 value, uint256 minGasLimit, bytes message)",
    "function successfulMessages(bytes32) view returns (bool)",
  ],
  bridgeL1: [
    "function depositETHTo(address to, uint32 minGasLimit, bytes extraData) payable",
    "function depositERC20To(address l1Token, address l2Token, address to, uint256 amount, uint32 minGasLimit, bytes extraData)",
    "function setRefused(address token, bool refused)",
    "error TokenRefused(address token)",
    "error EscrowShort(address token, uint256 held, uint256 owed)",
  ],
  bridgeL2: ["function withdrawTo(address l2Token, address to, uint256 amount, uint32 minGasLimit, bytes extraData) payable"],
  tokenFactory: [
    "event OptimismMintableERC20Created(address indexed localToken, address indexed remoteToken, address deployer)",
    "function createOptimismMintableERC20(address remoteToken, string name, string symbol) returns (address)",
  ],
  token: [
    "function approve(address spender, uint256 amount)",
    "function balanceOf(address owner) view returns (uint256)",
    "function rebase(uint256 percent)",
  ],
  timelock: [
    "function schedule(address target, uint256 value, bytes data, bytes32 predecessor, bytes32 salt, uint256 delay)",
    "function execute(address target, uint256 value, bytes data, bytes32 predecessor, bytes32 salt) payable",
    "function getMinDelay() view returns (uint256)",
  ],
};

// open connects one account to both layers of a devnet.
export function open(infoPath, index) {
  const info = JSON.parse(readFileSync(infoPath, "utf8"));
  const provider = (url, id) => new JsonRpcProvider(url, id, { staticNetwork: true, pollingInterval: 150, cacheTimeout: -1 });
  const l1 = provider(info.l1.httpUrl, info.l1.chainId);
  const l2 = provider(info.l2.httpUrl, info.l2.chainId);
  const key = index < 10 ? info.accounts[index].privateKey : HDNodeWallet.fromPhrase("test test test test test test test test test test test junk", undefined, `m/44'/60'/0'/0/${index}`).privateKey;
  const on = { l1: new Wallet(key, l1), l2: new Wallet(key, l2) };
  const at = (name, abi, layer = "l1") => new Contract(info.contracts[name] ?? name, abi, on[layer]);
  return { info, l1, l2, on, address: on.l1.address, at };
}

// done waits for a transaction, which must succeed.
export async function done(sent, status = 1) {
  const tx = await sent;
  const receipt = await tx.provider.waitForTransaction(tx.hash, 1, 60_000);
  assert.equal(receipt.status, status);
  return receipt;
}

// deploy creates a contract from the artifacts of forge.
export async function deploy(wallet, out, file, name, ...args) {
  const { abi, bytecode } = JSON.parse(readFileSync(`${out}/${file}.sol/${name}.json`, "utf8"));
  const contract = await new ContractFactory(abi, bytecode.object, wallet).deploy(...args);
  await contract.waitForDeployment();
  return contract;
}

// events are the decoded events of one name in a receipt.
export function events(receipt, abi, name) {
  const face = new Interface(abi);
  return receipt.logs.map((log) => face.parseLog(log)).filter((event) => event?.name === name).map((event) => event.args);
}

// arrival waits for the L2 transaction of the one deposit in an L1 receipt, whose hash
// follows from the deposit's event (OP Stack specification, "Deposits").
export async function arrival(user, receipt) {
  const face = new Interface(abis.portal);
  const log = receipt.logs.find((l) => face.parseLog(l)?.name === "TransactionDeposited");
  assert.ok(log, "no deposit in the L1 transaction");
  const { from, to, opaqueData } = face.parseLog(log).args;
  const source = keccak256(concat([zeroPadValue("0x", 32), keccak256(concat([receipt.blockHash, zeroPadValue(toBeHex(log.index), 32)]))]));
  const number = (start, end) => stripZerosLeft(dataSlice(opaqueData, start, end));
  const hash = keccak256(concat(["0x7e", encodeRlp([source, from, to, number(0, 32), number(32, 64), number(64, 72), "0x", dataSlice(opaqueData, 73)])]));
  return eventually("the deposit on L2", () => user.l2.getTransactionReceipt(hash), 60_000);
}

// withdrawals are those of an L2 receipt.
export function withdrawals(receipt) {
  return events(receipt, abis.passer, "MessagePassed").map((e) => ({
    hash: e.withdrawalHash, block: receipt.blockNumber,
    tuple: [e.nonce, e.sender, e.target, e.value, e.gasLimit, e.data],
  }));
}

// claim waits for a claim that holds a block, and gives its index and block.
export async function claim(user, block) {
  const factory = user.at("disputeGameFactory", abis.factory);
  return eventually("a claim", async () => {
    for (let index = (await factory.gameCount()) - 1n; index >= 0n; index--) {
      const { proxy, timestamp } = await factory.gameAtIndex(index);
      const of = await new Contract(proxy, abis.game, user.l1).l2BlockNumber();
      const { timestamp: now } = await user.l1.getBlock("latest");
      if (of >= BigInt(block) && BigInt(now) > timestamp) return { index, block: of };
      if (of < BigInt(block)) return null;
    }
    return null;
  }, 60_000);
}

// prove proves withdrawals, all under one claim.
export async function prove(user, list) {
  const portal = user.at("portal", abis.portal);
  const { index, block } = await claim(user, Math.max(...list.map((w) => w.block)));
  const output = await user.l2.send("optimism_outputAtBlock", [`0x${block.toString(16)}`]);
  for (const { hash, tuple } of list) {
    const slot = keccak256(concat([hash, zeroPadValue("0x", 32)]));
    const { storageProof } = await user.l2.send("eth_getProof", [passer, [slot], `0x${block.toString(16)}`]);
    assert.equal(BigInt(storageProof[0].value), 1n);
    const root = [output.version, output.stateRoot, output.withdrawalStorageRoot, output.blockRef.hash];
    await done(portal.proveWithdrawalTransaction(tuple, index, root, storageProof[0].proof));
  }
}

// finalize waits until a proven withdrawal can be paid, and has it paid.
export async function finalize(user, { hash, tuple }) {
  const portal = user.at("portal", abis.portal);
  await eventually("the challenge period's end", () => portal.checkWithdrawal(hash, user.address).then(() => true, () => false), 60_000);
  const receipt = await done(portal.finalizeWithdrawalTransaction(tuple));
  assert.equal(await portal.finalizedWithdrawals(hash), true);
  return receipt;
}
