// The page of index.html: follows the nodes of the form, or of the page's address
// (?ws=…,…&chain=…&leader=…&address=…), and shows what was checked. What a node lies about
// turns the page red, until the page is loaded again.
import { LightClient, LightError } from "../dist/index.js";

const show = (id, text) => { document.getElementById(id).textContent = text; };
const state = (className, text) => {
  const box = document.getElementById("state");
  if (box.className === "bad" && className !== "bad") return;
  box.className = className;
  box.textContent = text;
};
const fault = (e) => {
  const lie = !(e instanceof LightError) || !["transport", "stale", "unknown"].includes(e.code);
  state(lie ? "bad" : "waiting", `${lie ? "caught" : "not well"}: ${e.message}`);
  const list = document.getElementById("faults");
  const item = document.createElement("li");
  item.textContent = `${e.endpoint ?? ""} ${e.message}`;
  list.append(item);
  if (list.children.length > 10) list.firstElementChild.remove();
};
const ether = (wei) => `${wei / 10n ** 18n}.${String(wei % 10n ** 18n).padStart(18, "0")}`.replace(/\.?0+$/, "");

async function start({ ws, chain, leader, address }) {
  const client = new LightClient({ trust: { chainId: BigInt(chain), leaders: [{ address: leader }] }, endpoints: ws.split(",") });
  let transactions = 0;
  const balance = async () => {
    const { account, block } = await client.account(address);
    show("balance", `${ether(account.balance)} in block ${block.number}`);
    state("good", `all of it holds, up to mini-block ${client.head.header.number}`);
  };
  await client.run((e) => {
    if (e.kind === "fault") return fault(e.fault);
    if (e.kind === "miniBlock") {
      const { header, hash } = e.miniBlock;
      transactions += e.miniBlock.transactions.length;
      show("mini", `${header.number} of epoch ${header.epoch}, ${hash}`);
      show("count", `${transactions} since this page was opened`);
    }
    if (e.kind === "block") {
      show("block", `${e.block.number}, ${e.block.hash}`);
      show("root", e.block.stateRoot);
      return balance().catch(fault);
    }
  }, new AbortController().signal);
}

const form = document.querySelector("form");
for (const [name, value] of new URLSearchParams(location.search)) if (form.elements[name]) form.elements[name].value = value;
const go = () => {
  form.querySelector("button").disabled = true;
  start(Object.fromEntries(new FormData(form))).catch(fault);
};
form.addEventListener("submit", (e) => { e.preventDefault(); go(); });
if (location.search) go();
