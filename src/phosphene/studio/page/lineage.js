// Where an item comes from and what came of it: two generations up and two down.

import { el, svg } from "./dom.js";
import { poster } from "./clip.js";

const MOST = 5; // items of a generation
const [SIDE, PITCH, RISE] = [48, 60, 84];

/** Up to `MOST` distinct ids of a generation, each with whom of the one before it belongs to. */
function generation(ids, of) {
  const links = [];
  const next = [];
  for (const id of ids) {
    for (const other of of(id)) {
      if (!next.includes(other)) {
        if (next.length === MOST) continue;
        next.push(other);
      }
      links.push([other, id]);
    }
  }
  return { next, links };
}

/** The tree as an element; null where the item stands alone. */
export function tree(store, row) {
  const parents = (id) => (store.get(id)?.parents ?? []).filter((p) => store.get(p));
  const children = (id) => (store.children.get(id) ?? []).filter((c) => store.get(c) && !store.get(c).hidden);
  const up = generation([row.id], parents);
  const further = generation(up.next, parents);
  const down = generation([row.id], children);
  const below = generation(down.next, children);
  const rows = [further.next, up.next, [row.id], down.next, below.next];
  const start = rows.findIndex((ids) => ids.length);
  const levels = rows.filter((ids) => ids.length);
  if (levels.length < 2) return null;

  const width = PITCH * MOST;
  const places = new Map();
  levels.forEach((ids, level) => ids.forEach((id, i) => {
    const key = `${start + level}:${id}`;
    places.set(key, [width / 2 + (i - (ids.length - 1) / 2) * PITCH, SIDE / 2 + level * RISE + 2]);
  }));
  const lines = svg("svg", { width, height: levels.length * RISE, "aria-hidden": "true" });
  const connect = (links, level, isUp) => {
    for (const [other, id] of links) {
      const a = places.get(`${isUp ? level - 1 : level + 1}:${other}`);
      const b = places.get(`${level}:${id}`);
      if (a && b) lines.append(curve(...(isUp ? [a, b] : [b, a])));
    }
  };
  connect(up.links, 2, true);
  connect(further.links, 1, true);
  connect(down.links, 2, false);
  connect(below.links, 3, false);

  const box = el("div", { class: "tree" }, lines);
  box.style.height = `${levels.length * RISE - (RISE - SIDE) + 22}px`;
  for (const [key, [x, y]] of places) box.append(node(store, key.slice(2), x, y, row));
  const hidden = children(row.id).length - down.next.length;
  return el("div", {}, box, hidden > 0 ? el("p", { class: "fine" }, `and ${hidden} more children`) : null);
}

function curve([ax, ay], [bx, by]) {
  const [top, end] = [ay + SIDE / 2 + 14, by - SIDE / 2];
  const half = (top + end) / 2;
  return svg("path", { d: `M${ax} ${top}C${ax} ${half} ${bx} ${half} ${bx} ${end}` });
}

function node(store, id, x, y, row) {
  const item = store.get(id);
  const button = el("button", {
    type: "button",
    class: id === row.id ? "here" : "",
    title: `${id} · ${item.operator}\n${item.prompt}`,
    "aria-label": `${id}, made by ${item.operator}`,
  }, poster(item), el("span", {}, item.operator));
  button.style.transform = `translate(${x - SIDE / 2}px, ${y - SIDE / 2}px)`;
  button.addEventListener("click", () => store.choose(id, true));
  return button;
}
