// Charts tell what lies under a pointer, a finger or the arrow keys.
const tip = document.getElementById("tip");
const text = v => v === null || v === undefined ? "–" : String(v);
const span = (low, high) => low == null || high == null ? "" : ` [${low}, ${high}]`;

function say(head, lines, x, y) {
  tip.replaceChildren(Object.assign(document.createElement("b"), { textContent: head }));
  for (const line of lines.filter(Boolean)) tip.append(line + "\n");
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 4))}px`;
  tip.style.top = `${y + 18 + height > innerHeight ? Math.max(4, y - height - 12) : y + 18}px`;
}

function heat(svg, data) {
  const [left, top, w, h, columns, rows] = svg.dataset.box.split(" ").map(Number);
  const here = svg.querySelector(".here"), panel = +svg.dataset.panel;
  const show = ([column, row], x, y) => {
    const k = (panel * rows + row) * columns + column, value = data.value[k];
    here.setAttribute("x", left + column * w - 0.5); here.setAttribute("y", top + row * h - 0.5);
    here.setAttribute("visibility", "visible");
    const place = `${data.labels[1]} ${data.y[row]}, ${data.labels[0]} ${data.x[column]}`;
    const head = data.panels[panel] ? `${data.panels[panel]}: ${place}` : place;
    say(head, value === null ? ["nothing measured", data.notes?.[k]] : [
      `${value}${span(data.low?.[k], data.high?.[k])} ${data.unit}`, `null ${text(data.null)}`,
      data.marks && (data.marks[k] ? "● the claim stands" : "○ no claim"), data.notes?.[k]], x, y);
  };
  return {
    size: [columns, rows], show, hide: () => here.setAttribute("visibility", "hidden"),
    at: ([x, y]) => [Math.floor((x - left) / w), Math.floor((y - top) / h)],
    spot: ([column, row]) => [left + (column + 0.5) * w, top + (row + 1) * h],
  };
}

function lines(svg, data) {
  const spots = svg.dataset.spots.split(" ").map(Number), cursor = svg.querySelector(".cursor");
  const show = ([i], x, y) => {
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, spots[i]);
    cursor.setAttribute("visibility", "visible");
    const told = Object.entries(data.series).map(([name, [v, low, high]]) =>
      `${name}: ${text(v[i])}${span(low[i], high[i])}`);
    say(`${data.label} ${data.x[i]}`, [...told, data.null !== null && `null ${data.null}`], x, y);
  };
  const near = x => spots.reduce((best, s, i) => Math.abs(s - x) < Math.abs(spots[best] - x) ? i : best, 0);
  return { size: [spots.length, 1], show, hide: () => cursor.setAttribute("visibility", "hidden"),
    at: ([x]) => [near(x), 0], spot: ([i]) => [spots[i], 60] };
}

function bind(svg, chart) {
  let now = [0, 0];
  const inside = ([i, j]) => i >= 0 && j >= 0 && i < chart.size[0] && j < chart.size[1];
  const scale = () => svg.viewBox.baseVal.width / svg.getBoundingClientRect().width;
  const hide = () => { chart.hide(); tip.hidden = true; };
  const point = event => {
    const box = svg.getBoundingClientRect();
    const at = chart.at([(event.clientX - box.left) * scale(), (event.clientY - box.top) * scale()]);
    if (!inside(at)) return hide();
    now = at; chart.show(at, event.clientX, event.clientY);
  };
  const focus = () => {
    const box = svg.getBoundingClientRect(), [x, y] = chart.spot(now);
    chart.show(now, box.left + x / scale(), box.top + y / scale());
  };
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("pointerleave", event => event.pointerType === "mouse" && hide());
  svg.addEventListener("focus", () => svg.matches(":focus-visible") && focus());
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", event => {
    if (event.key === "Escape") return hide();
    const step = steps[event.key];
    if (!step) return;
    const next = [now[0] + step[0], now[1] + step[1]];
    if (!inside(next)) return;
    event.preventDefault(); now = next; focus();
  });
}

for (const group of document.querySelectorAll(".panels")) {
  const data = JSON.parse(group.querySelector("script").textContent);
  for (const svg of group.querySelectorAll("svg"))
    bind(svg, (group.dataset.kind === "heat" ? heat : lines)(svg, data));
}
addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", async () => {
  await navigator.clipboard.writeText(button.previousElementSibling.textContent);
  button.textContent = "copied";
});
