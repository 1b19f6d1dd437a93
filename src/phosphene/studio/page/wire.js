// What goes to the server and what comes back.

const KEPT = "phosphene-token";

/** The token from the address, kept for reloads of this tab and taken out of sight. */
function readToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEPT, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEPT);
}

const token = readToken();
export const mayAct = Boolean(token);

function readRater() {
  let rater = localStorage.getItem("phosphene-rater");
  if (!rater) {
    const draw = crypto.getRandomValues(new Uint32Array(2));
    rater = `person-${Array.from(draw, (n) => n.toString(36)).join("")}`;
    localStorage.setItem("phosphene-rater", rater);
  }
  return rater;
}

/** Who rates in this browser: two of them are two people. */
export const rater = readRater();

async function answer(response) {
  if (response.ok) return response.json();
  const told = await response.json().catch(() => ({}));
  throw new Error(told.error ?? `the server answered ${response.status}`);
}

export const whole = async () => answer(await fetch("/api/state"));
export const item = async (id) => answer(await fetch(`/api/item/${encodeURIComponent(id)}`));

/** Say something to the session; throws with the reason where it is refused. */
export async function say(kind, fields = {}) {
  if (!mayAct) throw new Error("open the page by the address that phosphene studio printed");
  const response = await fetch("/api/act", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Phosphene-Token": token },
    body: JSON.stringify({ kind, by: rater, ...fields }),
  });
  return answer(response);
}

/**
 * Listen to changes from a line of the log on. A page that nobody looks at stops listening, since
 * browsers allow few open lines a server, and catches up when it is looked at again.
 */
export function listen(lineNow, onChange, onLink) {
  let source = null;
  const open = () => {
    if (source) return;
    source = new EventSource(`/api/events?since=${lineNow()}`);
    source.addEventListener("change", (event) => onChange(JSON.parse(event.data)));
    source.onopen = () => onLink(true);
    source.onerror = () => {
      onLink(false);
      if (source?.readyState !== EventSource.CLOSED) return;
      source = null;
      setTimeout(open, 3000);
    };
  };
  const close = () => {
    source?.close();
    source = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  open();
}
