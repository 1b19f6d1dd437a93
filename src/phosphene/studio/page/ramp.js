// Quality as colour: from a dim violet to the glow of a phosphor; brightness rises all the way.

const STOPS = [
  [0.0, 58, 48, 104],
  [0.3, 122, 58, 128],
  [0.55, 202, 78, 98],
  [0.78, 242, 140, 62],
  [1.0, 255, 222, 130],
];
export const STEPS = 16;

function mixed(share) {
  const next = STOPS.findIndex(([at]) => at >= share);
  if (next <= 0) return STOPS[0].slice(1);
  const [a, b] = [STOPS[next - 1], STOPS[next]];
  const part = (share - a[0]) / (b[0] - a[0]);
  return [1, 2, 3].map((i) => Math.round(a[i] + part * (b[i] - a[i])));
}

export const RAMP = Array.from(
  { length: STEPS },
  (_, i) => `rgb(${mixed(i / (STEPS - 1)).join(" ")})`,
);
export const UNTOLD = "rgb(112 112 128)";

/** Place on the ramp, or -1 for a quality that is not known yet. */
export const step = (quality) =>
  quality === null || quality === undefined
    ? -1
    : Math.max(0, Math.min(STEPS - 1, Math.floor(quality * STEPS)));

export const colour = (quality) => (step(quality) < 0 ? UNTOLD : RAMP[step(quality)]);
