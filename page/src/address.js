/** The state of the page in its address: #run=…&row=…&q=…; the back button undoes a step. */

const DEFAULTS = { sort: "", q: "", status: "", kind: "", electrons: "", known: "", min: "", max: "", from: "", to: "", run: "", row: "" };
const listeners = [];
let typing = null;

export function state() {
  return { ...DEFAULTS, ...Object.fromEntries(new URLSearchParams(location.hash.slice(1))) };
}

/** The address with some changes. */
export function link(changes) {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries({ ...state(), ...changes })) if (value !== DEFAULTS[key]) parameters.set(key, value);
  return `#${parameters}`;
}

/** Go to a changed state. A field that is typed in makes one step, however many letters it gets. */
export function go(changes, field = null) {
  const address = link(changes);
  if (address === (location.hash || "#")) return;
  history[field !== null && field === typing ? "replaceState" : "pushState"](null, "", address);
  typing = field;
  tell();
}

/** Whether a field is being typed in: what it holds is newer than the address. */
export const typedIn = field => typing === field;

/** Replace the state without a step. */
export function correct(changes) {
  history.replaceState(null, "", link(changes));
}

export function onchange(listener) {
  listeners.push(listener);
}

function tell() {
  for (const listener of listeners) listener(state());
}

addEventListener("hashchange", () => {
  typing = null;
  tell();
});
