// Everything can be done without a pointer.

import { $, el } from "./dom.js";
import { ACTS } from "./acts.js";

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HELP = [
  ["← ↑ ↓ →", "Go through the items; on the map, to the neighbour"],
  ["space", "Play with sound, or pause"],
  ["/", "Look for words in prompts"],
  ["+ − 0", "On the map: zoom in, out, show all"],
  ["Esc", "Let go of what is marked"],
  ["?", "These keys"],
];

/** Whether a key belongs to what has the focus. */
function busy(event) {
  const at = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return true;
  // A dialog that has just closed holds the focus until the next frame.
  if (at.closest("dialog:not([open])")) return false;
  if (at.matches("textarea, select, input:not([type=checkbox], [type=radio])")) return true;
  if (at.matches("[type=radio], [type=range]") && event.key in MOVES) return true;
  return event.key === " " && at.matches("button, input, summary, video, audio");
}

export function keys({ acts, grid, details, filters, store }) {
  const work = { "?": help, "/": () => filters.focus(), " ": () => details.toggle(), Escape: () => store.mark(null) };
  for (const [name, key] of ACTS) work[key] = () => acts.run(name);
  for (const [key, move] of Object.entries(MOVES)) work[key] = () => grid.step(...move);
  work.Enter = () => details.play(true);

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.matches?.("input[type=search]")) event.target.blur();
    if (busy(event) || !(event.key in work)) return;
    if (event.key === "Enter" && !event.target.matches("#grid, #map, body")) return;
    event.preventDefault();
    work[event.key]();
  });
  const lines = [...ACTS.map(([, key, , what]) => [key, what]), ...HELP];
  $("#keys dl").append(...lines.map(([key, what]) => el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, what))));
  $("#help").addEventListener("click", help);
}

function help() {
  $("#keys").showModal();
}
