// The page: parts, put together.

import { $, narrow, short } from "./dom.js";
import { Acts } from "./acts.js";
import { Details } from "./details.js";
import { Filters } from "./filters.js";
import { Float } from "./float.js";
import { Grid } from "./grid.js";
import { keys } from "./keys.js";
import { Map2D } from "./map.js";
import { Store } from "./store.js";
import { Timeline } from "./timeline.js";
import { listen, mayAct, whole } from "./wire.js";

const store = new Store();
const grid = new Grid(store);
const acts = new Acts(store, grid);
const details = new Details(store, acts);
const filters = new Filters(store);
new Map2D(store, new Float());
new Timeline(store);
keys({ acts, grid, details, filters, store });

let linked = true;

function tab(name) {
  document.body.dataset.tab = name;
  for (const button of document.querySelectorAll("#tabs button")) {
    if (button.dataset.tab === name) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
}
for (const button of document.querySelectorAll("#tabs button")) {
  button.addEventListener("click", () => tab(button.dataset.tab));
}
store.on("choose", ({ aloud }) => {
  if (aloud && narrow.matches) tab("details");
});

function status() {
  const { state, text, doing } = store.explorer;
  if (!linked) return "reconnecting…";
  if (state === "failed") return text;
  if (state === "running" && store.stopped) return "stopping after this round";
  if (state === "running") return doing === "loading" ? "loading weights…" : "exploring";
  if (state === "done") return "done";
  return mayAct ? "watching" : "watching only: open the printed address to rate";
}

function header() {
  const { session, items, explorer, waiting, told, failed } = store;
  $("#name").textContent = session.name ?? "";
  document.title = session.name ? `${session.name} · Phosphene Studio` : "Phosphene Studio";
  const facts = [session.backbone, explorerName(session.explorer), `${short(items.size)} items`];
  if (told.length) facts.push(`${short(told.at(-1).size)} different`);
  if (failed) facts.push(`${short(failed)} failed`);
  $("#facts").textContent = facts.filter(Boolean).join(" · ");
  const asked = waiting === 1 ? "1 wish waits for the next round" : `${waiting} wishes wait for the next round`;
  $("#status").textContent = waiting && !store.stopped ? asked : status();
  $("#status").dataset.state = linked ? explorer.state : "failed";
  const share = explorer.total ? explorer.finished / explorer.total : items.size / (session.budget || Infinity);
  const percent = Math.round(100 * Math.min(1, share || 0));
  $("#progress i").style.width = `${percent}%`;
  $("#progress").setAttribute("aria-valuenow", percent);
  $("#progress").title = `${percent} % of the budget of ${short(session.budget)} samples`;
  $("#stop").hidden = !mayAct || store.stopped || explorer.state === "done";
}

const explorerName = (spec) => (typeof spec === "string" ? spec : spec?.name);

store.on("change", header);

async function start() {
  try {
    store.apply(await whole());
  } catch (error) {
    acts.toast(`The session can't be read: ${error.message}`, true);
    setTimeout(start, 3000);
    return;
  }
  listen(() => store.line, (change) => store.apply(change), (up) => {
    linked = up;
    header();
  });
}

start();
