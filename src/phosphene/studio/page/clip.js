// Media as elements: clips, pictures and sounds play in what suits them.

import { el } from "./dom.js";

const TYPES = { mp4: "video", mkv: "video", wav: "sound", png: "picture", gif: "picture" };

/** `video`, `sound`, `picture`, or null where nothing is kept. */
export const kind = (row) => (row.media ? TYPES[row.media.split(".").pop()] : null);

/** A silent clip that plays over and over; a picture where there is nothing to play. */
export function silent(row) {
  if (kind(row) === "video") {
    const video = el("video", { muted: true, loop: true, autoplay: true, playsInline: true });
    video.disablePictureInPicture = true;
    if (row.poster) video.poster = row.poster;
    video.src = row.media;
    return video;
  }
  return kind(row) === "picture" ? el("img", { src: row.media, alt: "" }) : poster(row);
}

/** The poster, or words in its place. */
export function poster(row) {
  if (row.poster) return el("img", { src: row.poster, alt: "", loading: "lazy", decoding: "async" });
  return el("span", { class: "blank" }, kind(row) === "sound" ? "sound" : "no picture");
}

/** End a clip's loading: an element that was only removed goes on with it. */
export function drop(node) {
  if (node?.tagName !== "VIDEO" && node?.tagName !== "AUDIO") return;
  node.pause();
  node.removeAttribute("src");
  node.load();
}
