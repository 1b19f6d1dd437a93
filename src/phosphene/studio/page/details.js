// The chosen item: it plays, with its recipe, its scores, its lineage and what can be said to it.

import { $, el, icon, short } from "./dom.js";
import { drop, kind, poster } from "./clip.js";
import { colour } from "./ramp.js";
import { ACTS } from "./acts.js";
import { tree } from "./lineage.js";
import { item as fetchItem } from "./wire.js";

export class Details {
  #store;
  #acts;
  #box = $("#details");
  #player = null;
  #row = null;
  #facts = el("div", { class: "facts" });
  #tree = el("div", { class: "lineage" });
  #buttons = new Map();

  constructor(store, acts) {
    this.#store = store;
    this.#acts = acts;
    store.on("choose", ({ aloud }) => this.#show(aloud));
    store.on("change mark", () => this.#renew());
  }

  #show(aloud) {
    const row = this.#store.chosen;
    if (row === this.#row) {
      if (aloud) this.play(true);
      return;
    }
    this.#row = row;
    drop(this.#player);
    this.#player = this.#media(row);
    $("#details-empty").hidden = true;
    this.#box.hidden = false;
    this.#box.replaceChildren(
      el("div", { class: "stage" }, this.#player),
      this.#toolbar(row),
      el("div", { class: "head" }),
      this.#facts,
      this.#tree,
      el("details", { class: "recipe" }, el("summary", {}, "Recipe"), el("pre", {}, "…")),
    );
    $("#details-pane").scrollTop = 0;
    this.#facts.replaceChildren();
    this.#renew();
    this.#fetch(row);
    if (aloud) this.play(true);
    else this.play(false);
  }

  #media(row) {
    const type = kind(row);
    if (type === "picture") return el("img", { src: row.media, alt: row.prompt });
    if (type === null) return poster(row);
    const player = el(type === "sound" ? "audio" : "video", { controls: true, playsInline: true, src: row.media });
    if (type === "video" && row.poster) player.poster = row.poster;
    // Sound is heard once; then the clip goes on in silence.
    player.addEventListener("ended", () => {
      if (type !== "video") return;
      player.muted = true;
      player.loop = true;
      player.play();
    });
    return player;
  }

  /** Play from the start; aloud once, or silently over and over. */
  play(aloud) {
    const player = this.#player;
    if (!player?.play || (!aloud && player.tagName === "AUDIO")) return;
    player.loop = !aloud;
    player.muted = !aloud;
    player.currentTime = 0;
    // A browser may refuse sound before the first click: then it plays without.
    player.play().catch((error) => {
      if (error.name !== "NotAllowedError" || player.muted) return;
      player.muted = true;
      player.loop = true;
      player.play().catch(() => {});
    });
  }

  /** Pause what is heard, play what is not. */
  toggle() {
    const player = this.#player;
    if (!player?.play) return;
    if (!player.paused && !player.muted) player.pause();
    else this.play(true);
  }

  #toolbar(row) {
    this.#buttons.clear();
    const made = ACTS.map(([name, key, label, title]) => {
      const button = el("button", { type: "button", title: `${title} (${key})`, "aria-keyshortcuts": key },
        icon(name), el("span", {}, label), el("kbd", {}, key));
      button.addEventListener("click", () => this.#acts.run(name, row));
      this.#buttons.set(name, button);
      return button;
    });
    return el("div", { class: "toolbar", role: "toolbar", "aria-label": "Say something to this item" }, ...made);
  }

  /** What may have changed since it was chosen. */
  #renew() {
    const row = this.#row;
    if (!row) return;
    const pressed = { like: row.mine > 0, dislike: row.mine < 0, pin: row.pinned, blend: row === this.#store.marked };
    for (const [name, on] of Object.entries(pressed)) this.#buttons.get(name)?.setAttribute("aria-pressed", on);
    const head = $(".head", this.#box);
    const facts = [`round ${row.round}`, `after ${short(row.spent)} calls`];
    if (!row.admitted && row.quality !== undefined) facts.push("a twin of an earlier one");
    head.replaceChildren(
      el("h2", {}, row.operator, el("small", {}, row.id)),
      el("p", { class: "fine" }, facts.join(" · ")),
      this.#meter("quality", row),
      this.#meter("novelty", row),
    );
    const grown = tree(this.#store, row);
    this.#tree.replaceChildren(...(grown ? [el("h3", {}, "Lineage"), grown] : []));
  }

  #meter(name, row) {
    const known = row[name] !== undefined;
    const rank = known ? this.#store.rank(name, row) : 0;
    const bar = el("i");
    bar.style.width = `${100 * rank}%`;
    bar.style.background = name === "quality" ? colour(row.quality) : "var(--cool)";
    const better = known ? `above ${Math.round(100 * rank)} %` : "when its round is done";
    return el("p", { class: "meter" }, el("span", {}, name), el("b", {}, short(row[name])), el("span", { class: "track" }, bar),
      el("span", { class: "fine" }, better));
  }

  async #fetch(row) {
    let found;
    try {
      found = await fetchItem(row.id);
    } catch (error) {
      found = { error: error.message };
    }
    if (row !== this.#row) return;
    const { recipe, scores, error } = found;
    $(".recipe pre", this.#box).textContent = error ?? JSON.stringify(recipe, null, 1);
    this.#facts.replaceChildren(
      words(recipe?.genome ?? { prompt: row.prompt }),
      ...(recipe ? this.#numbers(recipe.genome, scores) : []),
    );
  }

  #numbers(genome, scores) {
    const facts = Object.entries(scores).map(([name, value]) => [name, short(value)]);
    if (genome.guidance !== undefined) facts.push(["guidance", short(genome.guidance)]);
    if (genome.steps !== undefined) facts.push(["steps", short(genome.steps)]);
    if (genome.frame) facts.push(["first frame", String(genome.frame)]);
    for (const [stream, terms] of Object.entries(genome.noise ?? {})) {
      facts.push([`${stream} noise`, terms.length === 1 ? `seed ${terms[0][0]}` : `${terms.length} seeds`]);
    }
    for (const steer of genome.steering ?? []) facts.push(["steered by", String(steer.op)]);
    const line = ([name, value]) => {
      const wide = name.length + value.length > 20 ? "wide" : "";
      return el("div", { class: wide }, el("dt", {}, name), el("dd", { title: value }, value));
    };
    return [el("dl", {}, ...facts.map(line))];
  }
}

/** The prompt, the choices it was put together from marked in it. */
function words({ prompt, atoms = {} }) {
  const box = el("p", { class: "prompt" });
  if (!prompt) return box;
  const spots = Object.entries(atoms)
    .map(([slot, choice]) => [prompt.indexOf(choice), String(choice), slot])
    .filter(([at, choice]) => at >= 0 && choice)
    .sort((a, b) => a[0] - b[0] || b[1].length - a[1].length);
  let end = 0;
  for (const [at, choice, slot] of spots) {
    if (at < end) continue;
    box.append(prompt.slice(end, at), el("mark", { title: slot }, choice));
    end = at + choice.length;
  }
  box.append(prompt.slice(end));
  return box;
}
