/** Requests to the service. */

const API = "/api/v1";
const PATIENCE = 5; // times that a busy service is asked again

/** Something the service refuses, in its own words. */
export class Problem extends Error {
  constructor(detail, code = "", status = 0) {
    super(detail);
    this.code = code;
    this.status = status;
  }
}

async function ask(path, options = {}, attempt = 0) {
  const token = sessionStorage.getItem("token");
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  let answer;
  try {
    answer = await fetch(API + path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The service does not answer. Check that it still runs, and try again.", "no-answer");
  }
  if (answer.ok) return answer;
  const { detail, code } = await answer.json().catch(() => ({}));
  const wait = Number(answer.headers.get("Retry-After"));
  if (answer.status === 503 && wait && attempt < PATIENCE && !options.signal?.aborted) {
    await new Promise(done => setTimeout(done, 1000 * wait));
    return ask(path, options, attempt + 1);
  }
  throw new Problem(detail ?? `The service answered with ${answer.status}.`, code, answer.status);
}

const kept = new Map();

/** JSON that does not change while the service runs; asked for once. */
export function get(path) {
  if (!kept.has(path)) {
    const asked = ask(path).then(answer => answer.json());
    kept.set(path, asked);
    asked.catch(() => kept.delete(path));
  }
  return kept.get(path);
}

export const text = async path => (await ask(path)).text();

/** Objects of a streamed answer, as they come. */
async function* lines(answer) {
  let rest = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const parts = (rest + (value ?? "")).split("\n");
      rest = parts.pop();
      for (const line of parts) if (line) yield checked(JSON.parse(line));
      if (done) break;
    }
  } catch (error) {
    if (error instanceof Problem || error.name === "AbortError") throw error;
    throw new Problem("The connection broke before all rows had come. Send the files again.", "broken");
  }
  if (rest) throw new Problem("The answer is cut off. Send the files again.", "broken");
}

function checked(row) {
  if (row.problem) throw new Problem(row.problem.detail, row.problem.code, row.problem.status);
  return row;
}

export async function* results(signal) {
  yield* lines(await ask("/results/rows", { signal }));
}

/** Predict a body of a request; yields rows. */
export async function* predict(body, type, query, signal) {
  const parameters = new URLSearchParams({ format: "ndjson", structure: "true", chart: "true" });
  for (const [name, value] of Object.entries(query))
    for (const each of Array.isArray(value) ? value : [value]) if (each !== "" && each !== false) parameters.append(name, each);
  const headers = type ? { "Content-Type": type } : {};
  yield* lines(await ask(`/predict?${parameters}`, { method: "POST", body, headers, signal }));
}
