/** Plots of the report of a screening: hovering names a crystal, dragging chooses some, also among the candidates. */

import { h } from "./dom.js";
import { count, plural } from "./format.js";
import { histogram, overview } from "./plots.js";

const { points, predicted, bounds } = JSON.parse(document.getElementById("points").textContent);
const rows = points.map(([formula, id, kappa_W_mK, kappa_low_W_mK, kappa_high_W_mK, warning]) =>
  ({ formula, id, kappa_W_mK, kappa_low_W_mK, kappa_high_W_mK, status: warning ? "warning" : "ok" }));
const [cloud, bars, told] = ["cloud", "bars", "chosen"].map(id => document.getElementById(id));
const candidates = [...document.querySelectorAll("#candidates tbody tr")];

function select({ min = 0, max = Infinity, from = 0, to = Infinity }) {
  const within = (kappa, ratio) => kappa >= min && kappa <= max && (!ratio || (ratio >= from && ratio <= to));
  const chosen = rows.filter(row => within(row.kappa_W_mK, row.kappa_high_W_mK / row.kappa_low_W_mK));
  for (const tr of candidates) tr.classList.toggle("outside", !within(Number(tr.dataset.kappa), Number(tr.dataset.ratio)));
  const left = candidates.filter(tr => !tr.classList.contains("outside")).length;
  told.replaceChildren(`${plural(chosen.length, "crystal")} chosen, ${left} of the candidates. `,
    h("button", { type: "button", onclick: () => draw(rows) }, "Show all"));
  draw(chosen);
}

function open(row) {
  const found = candidates.find(tr => tr.dataset.words.startsWith(`${row.formula} ${row.id} `));
  if (!found) return;
  found.scrollIntoView({ block: "center" });
  found.classList.add("found");
  setTimeout(() => found.classList.remove("found"), 2000);
}

function draw(chosen) {
  if (chosen === rows) {
    told.textContent = rows.length < predicted ? `A random sample of ${count(rows.length)} of ${plural(predicted, "crystal")}.` : "";
    for (const tr of candidates) tr.classList.remove("outside");
  }
  cloud.replaceChildren(...(overview(rows, chosen, select, open, bounds) ?? []));
  bars.replaceChildren(...histogram(rows, chosen, select, bounds));
}

if (rows.length) draw(rows);
