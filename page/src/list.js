/** The view of a set: progress, filters, overview, table, and what can be saved. */

import { go, state, typedIn } from "./address.js";
import { announce, h } from "./dom.js";
import { count, elements, plural } from "./format.js";
import { histogram, overview } from "./plots.js";
import { cifs, csv, download, json } from "./save.js";
import { Table } from "./table.js";

const EACH = 200; // milliseconds between two looks at rows that stream in
const READ = 300; // structures of results that are read one by one for an archive

/** Rows that a state asks for, in its order. */
export function chosen(rows, asked) {
  const words = asked.q.trim().split(/\s+/).filter(Boolean);
  const [min, max, from, to] = ["min", "max", "from", "to"].map(key => (asked[key] === "" ? null : Number(asked[key])));
  const found = rows.filter(row =>
    (!asked.status || row.status === asked.status) &&
    (!asked.kind || String(row.dimensionality) === asked.kind) &&
    (!asked.electrons || row.is_metal === (asked.electrons === "metal")) &&
    (!asked.known || row.in_training === asked.known || (asked.known === "yes" && ["crystal", "formula"].includes(row.in_training))) &&
    (min === null || row.kappa_W_mK >= min) && (max === null || (row.kappa_W_mK !== null && row.kappa_W_mK <= max)) &&
    (from === null || row.kappa_high_W_mK / row.kappa_low_W_mK >= from) && (to === null || row.kappa_high_W_mK / row.kappa_low_W_mK <= to) &&
    words.every(word => holds(row, word)));
  if (!asked.sort) return found;
  const [key, sign] = asked.sort.startsWith("-") ? [asked.sort.slice(1), -1] : [asked.sort, 1];
  const missing = value => value === null || value === undefined || value === "";
  return found.sort((a, b) => {
    const [p, q] = [a[key], b[key]];
    if (missing(p) || missing(q)) return missing(p) - missing(q); // what is missing stays last
    return sign * (typeof p === "number" ? p - q : p.localeCompare(q, "en", { numeric: true })) || a.n - b.n;
  });
}

/** Element symbols are looked for among the elements, other words anywhere. */
function holds(row, word) {
  if (/^[A-Z][a-z]?$/.test(word)) return elements(row.formula).includes(word);
  return `${row.formula} ${row.id} ${row.source} ${row.reason}`.toLowerCase().includes(word.toLowerCase());
}

function field(name, label, input) {
  input.id = `filter-${name}`;
  return h("div", { class: "field" }, h("label", { for: input.id }, label), input);
}

export function listView(run) {
  const typed = (name, attributes) => h("input", { ...attributes, value: state()[name],
    oninput: event => go({ [name]: event.target.value.trim() === "" ? "" : event.target.value }, name) });
  const choice = (name, choices) => h("select", { onchange: event => go({ [name]: event.target.value }) },
    choices.map(([value, text]) => h("option", { value }, text)));
  const number = { type: "number", min: 0, step: "any", inputmode: "decimal", placeholder: "any" };
  const inputs = {
    q: typed("q", { type: "search", placeholder: "formula, element, id …" }),
    min: typed("min", number),
    max: typed("max", number),
    status: choice("status", [["", "all"], ["ok", "without a warning"], ["warning", "with a warning"], ["rejected", "rejected"]]),
    kind: choice("kind", [["", "all"], ["3", "frameworks"], ["2", "layers"], ["1", "chains"], ["0", "molecules"]]),
    electrons: choice("electrons", [["", "all"], ["metal", "metals"], ["gap", "no metals"]]),
    known: choice("known", [["", "all"], ["no", "new to the model"], ["yes", "in the training data"]]),
  };
  const clear = h("button", { type: "button", class: "plain", onclick: () => go({ q: "", min: "", max: "", from: "", to: "", status: "", kind: "", electrons: "", known: "" }) }, "Clear filters");
  const progress = h("p", { class: "progress" });
  const problem = h("div");
  const stop = h("button", { type: "button", class: "plain", onclick: () => run.abort.abort() }, "Stop");
  const widths = h("span", { class: "faint" });
  const title = h("h1", { tabindex: -1 }, run.name);
  const plots = [h("div"), h("div")];
  const more = h("details", { class: "more" }, h("summary", {}, "Overview"), h("div", { class: "overview" }, plots));
  const table = new Table(sort => go({ sort }));
  const empty = h("p", { class: "empty", hidden: true }, "No row fits these filters.");
  const saved = h("span", { role: "status", class: "faint" });
  let shown = [];
  const save = h("div", { class: "save" },
    h("span", { class: "faint" }, "Save: "),
    h("button", { type: "button", class: "plain", onclick: () => download(csv(shown), "predictions.csv", "text/csv") }, "CSV"),
    h("button", { type: "button", class: "plain", onclick: () => download(json(shown), "predictions.json", "application/json") }, "JSON"),
    h("button", { type: "button", class: "plain", onclick: async () => {
      if (run.id === "results" && shown.length > READ) {
        saved.textContent = `Filter to at most ${READ} rows: their structures are read one by one.`;
        return;
      }
      saved.textContent = "Collecting …";
      const n = await cifs(shown, run);
      saved.textContent = `${plural(n, "structure")} saved`;
    } }, "CIFs"), saved);
  const view = h("div", { class: "list" },
    h("div", { class: "titlebar" }, title, progress, stop, h("a", { class: "button", href: "#" }, "New prediction")),
    problem,
    h("form", { class: "filters", role: "search", "aria-label": "Filter", onsubmit: event => event.preventDefault() },
      field("q", "Search", inputs.q), field("min", "κ from", inputs.min), field("max", "to, W/m/K", inputs.max),
      field("kind", "Kind", inputs.kind), field("electrons", "Electrons", inputs.electrons),
      field("known", "Training", inputs.known), field("status", "Remarks", inputs.status), clear, widths),
    h("div", { class: "tools" }, more, save), table.element, empty, guide(run));
  more.addEventListener("toggle", () => draw());

  function draw(asked = state()) {
    if (!view.isConnected || asked.row) return;
    for (const [name, input] of Object.entries(inputs)) if (!typedIn(name)) input.value = asked[name];
    shown = chosen(run.rows, asked);
    clear.hidden = !Object.keys({ ...inputs, from: 0, to: 0 }).some(name => asked[name]);
    widths.textContent = asked.from || asked.to ? `interval ends ${asked.from || 1} to ${asked.to || "∞"} times apart` : "";
    stop.hidden = run.done;
    progress.textContent = summary(run, shown);
    table.show(shown, asked.sort);
    table.element.hidden = run.rows.length === 0;
    empty.hidden = !(run.done && run.rows.length && !shown.length);
    problem.replaceChildren(...(run.problem ? [h("p", { class: "banner", role: "alert" }, run.problem.message)] : []),
      ...(run.left > 0 ? [h("p", { class: "banner" }, `The table holds ${count(run.left)} further rows; these are the ones with the lowest κ.`)] : []));
    more.hidden = run.rows.filter(row => row.kappa_low_W_mK).length < 20;
    if (!more.open || more.hidden || !run.done) return;
    plots[0].replaceChildren(...(overview(run.rows, shown, go, row => go({ row: String(row.n) })) ?? []));
    plots[1].replaceChildren(...histogram(run.rows, shown, go));
  }

  let timer = null;
  run.listener = () => {
    timer ??= setTimeout(() => {
      timer = null;
      draw();
      if (run.done) announce(`${run.name}: ${summary(run, run.rows)}`);
    }, run.rows.length <= 4 || run.done ? 0 : EACH);
  };
  table.body.addEventListener("click", event => {
    const row = event.target.closest(".row");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey || String(getSelection())) return;
    event.preventDefault();
    go({ row: row.querySelector("a").dataset.n });
  });
  return { element: view, title, draw, table, rows: () => shown, name: run.name };
}

function summary(run, shown) {
  const told = [plural(run.rows.length, "crystal")];
  for (const [status, word] of [["warning", "with a warning"], ["rejected", "rejected"]]) {
    const n = run.rows.filter(row => row.status === status).length;
    if (n) told.push(`${count(n)} ${word}`);
  }
  if (shown.length !== run.rows.length) told.push(`${count(shown.length)} shown`);
  if (!run.done && !run.rows.length) return "sent; waiting for the first answer …";
  if (!run.done) told.push("more to come …");
  else if (run.stopped) told.push("stopped");
  return told.join(" · ");
}

/** What the table shows, in words. */
function guide(run) {
  const level = run.level ? `${Number((100 * run.level).toPrecision(4))} %` : "the stated share";
  return h("details", { class: "guide" }, h("summary", {}, "How to read the table"),
    h("dl", {},
      h("dt", {}, "κ"), h("dd", {}, "Thermal conductivity of the lattice at 300 K, the average over directions. In a metal, electrons conduct heat, too; κ leaves them out."),
      h("dt", {}, "Interval"), h("dd", {}, `The band: it holds the value of a first-principles calculation for ${level} of crystals like the known ones. Dot: best estimate. Thin line: κ of the nearest known compound. Diamond: verified by a phonon calculation.`),
      h("dt", {}, "Applicability"), h("dd", {}, "0 to 1: how close a crystal is to compounds with known κ. Near 0 the interval may be too narrow."),
      h("dt", {}, "Nearest known"), h("dd", {}, "The most similar compound among those the model learned κ from, with its κ, and whether the crystal itself was among them: then the estimate is a memory, not a test.")));
}
