import type { Hex } from "./hex.js";
import { headerHash, signer, type Signed } from "./header.js";

/**
 * What kind of fault of a node a LightError is; sdk/light has the same ones.
 *
 * - encoding: an answer is not what the method answers
 * - signature: not signed by the leader
 * - link: does not continue the chain that was checked
 * - gap: mini-blocks are left out
 * - content: transactions, receipts or diff are not those of the header
 * - block: a block is not the one that a mini-block commits to
 * - proof: a Merkle proof does not hold
 * - stale: what the node tells is old and gets no newer
 * - transport: unreachable, refused, or no answer
 * - unknown: nothing is checked yet, or no endpoint knows what was asked for
 */
export type Code = "encoding" | "signature" | "link" | "gap" | "content" | "block" | "proof" | "stale" | "transport" | "unknown";

/** A fault of a node. */
export class LightError extends Error {
  override readonly name = "LightError";
  /** The node; absent where only an answer was checked. */
  endpoint?: string;
  constructor(readonly code: Code, message: string, options?: ErrorOptions) {
    super(`${code}: ${message}`, options);
  }
}

/**
 * Evidence that a leader signed two mini-blocks of one height and epoch. It is an error
 * because nothing that this leader signs says anything afterwards.
 */
export class Equivocation extends Error {
  override readonly name = "Equivocation";
  constructor(readonly leader: Hex, readonly a: Signed, readonly b: Signed) {
    super(`equivocation: ${leader} signed two mini-blocks ${a.header.number} of epoch ${a.header.epoch}`);
  }

  /** Verifies the evidence: what it needs is in it. Throws if it shows nothing. */
  check(): void {
    const [a, b] = [this.a.header, this.b.header];
    const same = a.chainId === b.chainId && a.epoch === b.epoch && a.number === b.number && headerHash(a) !== headerHash(b);
    if (!same || signer(this.a) !== this.leader || signer(this.b) !== this.leader) {
      throw new LightError("signature", `no equivocation of ${this.leader}`);
    }
  }
}
