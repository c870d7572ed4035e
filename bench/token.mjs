// Writes the creation bytecode of the contracts that a run deploys, with the compiler
// that contracts/ pins; with --check fails if a file would change.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (name) => fileURLToPath(new URL(name, import.meta.url));
const source = (name) => ({ content: readFileSync(at(name), "utf8") });
const input = {
  language: "Solidity",
  sources: { "token.sol": source("token.sol"), "load.sol": source("load.sol") },
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
const files = [
  ["token.hex", "token.sol", "BenchToken"],
  ["funder.hex", "load.sol", "BenchFunder"],
  ["pair.hex", "load.sol", "BenchPair"],
  ["work.hex", "load.sol", "BenchWork"],
];
for (const [file, from, name] of files) {
  const hex = out.contracts[from][name].evm.bytecode.object + "\n";
  if (!process.argv.includes("--check")) {
    writeFileSync(at(file), hex);
  } else if (!existsSync(at(file)) || readFileSync(at(file), "utf8") !== hex) {
    console.error(`bench/${file} does not match its source: run \`make bindings\``);
    process.exit(1);
  }
}
