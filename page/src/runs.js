/** Sets of predicted crystals: examples, what was dropped or pasted, results that the service was started with. */

import { get, predict, results } from "./api.js";

const KEPT = 4e6; // characters of a set that survive a reload of the page; browsers keep about 5 MB

/** Rows, and how far they are. */
class Run {
  constructor(id, name, level, source, query = {}) {
    Object.assign(this, { id, name, level, query, rows: [], done: false, problem: null, stopped: false });
    this.began = performance.now();
    this.seconds = null;
    this.abort = new AbortController();
    this.listener = () => {};
    this.done = !source;
    this.finished = source ? this.#read(source(this.abort.signal)) : new Promise(() => {}); // what was kept is not opened again
  }

  async #read(rows) {
    try {
      for await (const row of rows) {
        row.n = this.rows.length;
        this.rows.push(row);
        this.seconds ??= (performance.now() - this.began) / 1000;
        this.listener();
      }
    } catch (error) {
      if (error.name !== "AbortError") this.problem = error;
      else this.stopped = true;
    }
    this.done = true;
    this.seconds = (performance.now() - this.began) / 1000;
    keep(this);
    this.listener();
  }
}

const runs = new Map();

/** Predict files, a pasted text or examples; returns the run. */
export function begin(id, name, options, body, type = "", query = {}) {
  const run = new Run(id, name, options.level, signal => predict(body, type, { ...options, ...query }, signal), options);
  runs.set(id, run);
  return run;
}

export async function examples(names, options) {
  const all = await get("/examples");
  const chosen = names.length ? all.filter(({ name }) => names.includes(name.replace(/\.cif$/, ""))) : all;
  const form = new FormData();
  for (const { name, text } of chosen) form.append("file", new Blob([text]), name);
  return begin(exampleId(names), names.length === 1 ? `Example ${names[0]}` : "Examples", options, form);
}

export const exampleId = names => `examples${names.length ? `:${names.join(",")}` : ""}`;

/** The run of an address: made already, kept over a reload, or made now; null where it is gone. */
export async function find(id, options) {
  if (runs.has(id)) return runs.get(id);
  if (id === "results") {
    const { name, level, rows, rows_in_all } = await get("/results");
    const run = new Run(id, name, level, signal => results(signal));
    run.left = rows_in_all - rows;
    runs.set(id, run);
    return run;
  }
  if (id.startsWith("examples")) return examples(id.slice("examples:".length).split(",").filter(Boolean), options);
  const stored = sessionStorage.getItem(`run ${id}`);
  if (stored === null) return null;
  const { name, level, query, rows } = JSON.parse(stored);
  const run = new Run(id, name, level, null, query);
  run.rows = rows;
  runs.set(id, run);
  return run;
}

export const newId = () => Date.now().toString(36);

/** Keep a set in this tab, for a reload; the service keeps nothing. */
function keep({ id, name, level, query, rows }) {
  if (id === "results" || id.startsWith("examples")) return;
  const text = JSON.stringify({ name, level, query, rows });
  if (text.length > KEPT) return;
  for (const key of Object.keys(sessionStorage)) if (key.startsWith("run ")) sessionStorage.removeItem(key);
  try {
    sessionStorage.setItem(`run ${id}`, text);
  } catch {
    // no room: a reload asks for the files again
  }
}
