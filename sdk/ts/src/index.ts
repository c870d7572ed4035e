/**
 * A light client of a Talaria chain: it follows signed mini-blocks and checks what nodes
 * answer that nobody trusts (docs/spec/light.md). LightClient does all of it; Chain and the
 * functions verify… and parse… check single answers without any input or output.
 */
export { LightClient, type Event, type Options, type Outcome } from "./client.js";
export { Chain, type Checkpoint, type Leader, type Range, type Step, type Trust } from "./chain.js";
export { headerOf, lastMiniBlock, parentBlock, parseHeader, verifyBlock, verifyReceipts, verifyTransactions, type Block, type BlockHeader } from "./block.js";
export { parseMiniBlock, type MiniBlock } from "./content.js";
export { Equivocation, LightError, type Code } from "./errors.js";
export { headerHash, isUnsigned, parseSigned, signedJson, signer, type Header, type Signed } from "./header.js";
export type { Hex } from "./hex.js";
export { verifyAccount, verifyCode, type Account } from "./proof.js";
export type { Log, Receipt } from "./receipt.js";
export { parseTransaction, type Transaction } from "./transaction.js";
export type { Socket, SocketClass } from "./wire.js";
