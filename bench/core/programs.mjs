// Writes programs.json, the bytecode of solidity/*.sol, with the compiler that
// contracts/ pins and the libraries that e2e/ pins; with --check fails if the file
// would change.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (name) => fileURLToPath(new URL(name, import.meta.url));
const sources = {};
const add = (name, path) => {
  if (sources[name]) return;
  const content = readFileSync(path, "utf8");
  sources[name] = { content };
  for (const [, target] of content.matchAll(/^import .*?"([^"]+)";/gms)) {
    const wanted = target.startsWith(".") ? new URL(target, `file:///${name}`).pathname.slice(1) : target;
    add(wanted, at(`../../e2e/node_modules/${wanted}`));
  }
};
const own = readdirSync(at("solidity")).sort();
for (const name of own) add(name, at(`solidity/${name}`));

const input = {
  language: "Solidity",
  sources,
  settings: {
    evmVersion: "prague",
    optimizer: { enabled: true, runs: 200 },
    metadata: { bytecodeHash: "none", appendCBOR: false },
    outputSelection: { "*": { "*": ["evm.bytecode.object", "evm.deployedBytecode.object"] } },
  },
};
const run = spawnSync(process.execPath, [at("../../contracts/solc"), "--standard-json"], {
  input: JSON.stringify(input),
  encoding: "utf8",
  maxBuffer: 1 << 26,
});
if (run.status !== 0) throw new Error(`solc: ${run.stderr}`);
const out = JSON.parse(run.stdout);
if (out.errors?.length) throw new Error(out.errors.map((e) => e.formattedMessage).join("\n"));

const programs = {};
for (const name of own)
  for (const [contract, { evm }] of Object.entries(out.contracts[name]))
    if (evm.bytecode.object)
      programs[contract] = { create: `0x${evm.bytecode.object}`, runtime: `0x${evm.deployedBytecode.object}` };
const json = JSON.stringify(programs, null, 1) + "\n";
if (process.argv.includes("--check")) {
  if (readFileSync(at("programs.json"), "utf8") !== json) {
    console.error("bench/core/programs.json does not match bench/core/solidity: run `make bindings`");
    process.exit(1);
  }
} else {
  writeFileSync(at("programs.json"), json);
}
