import { LightError } from "./errors.js";
import { data, dataHex, hex, keccakHex, list, object, quantity, zeroHash, type Hex } from "./hex.js";
import { asBytes, asInteger, asList, decode } from "./rlp.js";
import { emptyRoot, proven } from "./trie.js";

/** An account of a state whose root was checked. One that does not exist has the values of an empty one. */
export interface Account {
  readonly address: Hex;
  readonly exists: boolean;
  readonly nonce: bigint;
  /** In wei. */
  readonly balance: bigint;
  readonly codeHash: Hex;
  readonly storageRoot: Hex;
  /** The slots that were asked for. */
  readonly storage: ReadonlyMap<Hex, Hex>;
}

/** The hash of no code. */
export const emptyCodeHash: Hex = keccakHex(new Uint8Array());

/**
 * Checks the answer of eth_getProof for the address and slots, in their order, against a
 * state root. What the answer says in words must be what it proves.
 */
export function verifyAccount(root: Hex, address: Hex, slots: readonly Hex[], answer: unknown): Account {
  const o = object(answer, "proof");
  const wrong = (what: string, cause?: unknown): LightError => new LightError("proof", `account ${address}: ${what}`, { cause });
  const attempt = <T>(what: string, f: () => T): T => {
    try {
      return f();
    } catch (cause) {
      throw wrong(`${what}: ${String(cause)}`, cause);
    }
  };
  const nodes = (v: unknown): Uint8Array[] => list(v, "proof").map((n) => data(n, "node"));
  const said = {
    address: dataHex(o["address"], "address", 20), balance: quantity(o["balance"], "balance", 256), nonce: quantity(o["nonce"], "nonce"),
    codeHash: dataHex(o["codeHash"], "codeHash", 32), storageHash: dataHex(o["storageHash"], "storageHash", 32),
  };
  const accountProof = nodes(o["accountProof"]);
  const a = attempt("proof", () => {
    const leaf = proven(root, data(address, "address", 20), accountProof);
    if (!leaf) return { exists: false, nonce: 0n, balance: 0n, storageRoot: emptyRoot, codeHash: emptyCodeHash };
    const fields = asList(decode(leaf));
    if (fields.length !== 4) throw new Error("an account has four fields");
    return { exists: true, nonce: asInteger(fields[0]), balance: asInteger(fields[1]), storageRoot: hex(asBytes(fields[2])), codeHash: hex(asBytes(fields[3])) };
  });
  if (said.address !== address.toLowerCase() || said.balance !== a.balance || said.nonce !== a.nonce || said.codeHash !== a.codeHash || said.storageHash !== a.storageRoot) {
    throw wrong("the node says other values than it proves");
  }
  const proofs = list(o["storageProof"], "storageProof");
  if (proofs.length !== slots.length) throw wrong(`${proofs.length} slots are proven, ${slots.length} were asked for`);
  const storage = new Map<Hex, Hex>();
  slots.forEach((slot, i) => {
    const p = object(proofs[i], "storage proof");
    const list = nodes(p["proof"]);
    const value = attempt(`slot ${slot}`, () => {
      const leaf = proven(a.storageRoot, data(slot, "slot", 32), list);
      return leaf ? (`0x${hex(asBytes(decode(leaf))).slice(2).padStart(64, "0")}` as Hex) : zeroHash;
    });
    if (quantity(p["value"], "value", 256) !== BigInt(value)) throw wrong(`slot ${slot}: the node says another value than it proves`);
    storage.set(slot, value);
  });
  return { address: said.address, ...a, storage };
}

/** Checks code against the account's code hash. */
export function verifyCode(a: Account, code: Uint8Array): void {
  if (keccakHex(code) !== a.codeHash) throw new LightError("proof", `code of ${a.address} has not the account's code hash`);
}
