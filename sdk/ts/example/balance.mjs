// Follows a chain and prints every sealed block with the balance of an account after it,
// both checked; ends after a number of blocks, with exit code 1 if a node lied.
//
//   node example/balance.mjs <nodes, ws://…,…> <leader> <account> [blocks, 3]
import WebSocket from "ws";
import { LightClient } from "../dist/index.js";

const [nodes, leader, account, count = "3"] = process.argv.slice(2);
const client = new LightClient({ trust: { chainId: 7411n, leaders: [{ address: leader }] }, endpoints: nodes.split(","), socket: WebSocket });
const stop = new AbortController();
let left = Number(count);
await client.run(async (e) => {
  if (e.kind === "fault") {
    console.error(e.fault.endpoint, e.fault.message);
    if (!["transport", "stale"].includes(e.fault.code)) {
      process.exitCode = 1;
      stop.abort();
    }
  }
  if (e.kind !== "block" || left-- <= 0) return;
  const { balance } = await client.accountAt(e.block, account);
  console.log(`block ${e.block.number} ${e.block.hash}: ${balance} wei`);
  if (left === 0) stop.abort();
}, stop.signal);
await client.close();
