// Writes token.hex, the creation bytecode of token.sol, with the compiler that
// contracts/ pins; with --check fails if the file would change.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (name) => fileURLToPath(new URL(name, import.meta.url));
const input = {
  language: "Solidity",
  sources: { "token.sol": { content: readFileSync(at("token.sol"), "utf8") } },
  settings: {
    evmVersion: "prague",
    optimizer: { enabled: true, runs: 10000 },
    metadata: { bytecodeHash: "none", appendCBOR: false },
    outputSelection: { "*": { "*": ["evm.bytecode.object"] } },
  },
};
const run = spawnSync(process.execPath, [at("../contracts/solc"), "--standard-json"], {
  input: JSON.stringify(input),
  encoding: "utf8",
});
if (run.status !== 0) throw new Error(`solc: ${run.stderr}`);
const out = JSON.parse(run.stdout);
if (out.errors?.length) throw new Error(out.errors.map((e) => e.formattedMessage).join("\n"));
const hex = out.contracts["token.sol"].BenchToken.evm.bytecode.object + "\n";
if (process.argv.includes("--check")) {
  if (readFileSync(at("token.hex"), "utf8") !== hex) {
    console.error("bench/token.hex does not match bench/token.sol: run `make bindings`");
    process.exit(1);
  }
} else {
  writeFileSync(at("token.hex"), hex);
}
