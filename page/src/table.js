/** A table of any number of rows, of which only those in sight are in the document. */

import { link } from "./address.js";
import { h, s } from "./dom.js";
import { KNOWN, fit, formula, kind, remedy, score, short, tick } from "./format.js";

const OVERSCAN = 8; // rows made beyond those in sight
const PRINTED = 2000;

const COLUMNS = [
  { key: "formula", title: "Crystal", class: "c-crystal" },
  { key: "kappa_W_mK", title: "κ, W/m/K", class: "c-kappa", axis: true },
  { key: "applicability", title: "Applicability", class: "c-fit", hint: "0 to 1: how close it is to compounds with known κ" },
  { key: "nearest_kappa_W_mK", title: "Nearest known", class: "c-near", hint: "sorted by its κ" },
  { key: "dimensionality", title: "Kind", class: "c-kind" },
  { key: "status", title: "Remarks", class: "c-remarks" },
];

/** Decades that hold all intervals. */
export function domainOf(rows) {
  let low = 0.3, high = 300;
  for (const row of rows) {
    if (row.kappa_W_mK === null) continue;
    low = Math.min(low, row.kappa_low_W_mK ?? row.kappa_W_mK);
    high = Math.max(high, row.kappa_high_W_mK ?? row.kappa_W_mK);
  }
  return [Math.max(-6, Math.floor(Math.log10(low))), Math.min(7, Math.ceil(Math.log10(high)))];
}

/** Share of the width of an axis over decades, in per cent. */
const place = (value, [low, high]) => Math.min(100, Math.max(0, (100 * (Math.log10(value) - low)) / (high - low)));

const percent = x => `${x.toFixed(2)}%`;

/** An interval on a log axis: band, κ as a dot, κ of the nearest known compound as a tick, a verified one as a diamond. */
export function bar(row, domain) {
  const [kappa, low, high] = [row.kappa_W_mK, row.kappa_low_W_mK ?? row.kappa_W_mK, row.kappa_high_W_mK ?? row.kappa_W_mK];
  const from = place(low, domain), to = place(high, domain);
  const svg = s("svg", { class: "bar", width: "100%", height: 16, "aria-hidden": "true" });
  for (let decade = domain[0]; decade <= domain[1]; decade++) {
    const x = percent(place(10 ** decade, domain));
    svg.append(s("line", { class: "grid", x1: x, x2: x, y1: 0, y2: 16 }));
  }
  svg.append(s("rect", { class: "band", x: percent(from), width: percent(Math.max(0.4, to - from)), y: 5, height: 6, rx: 3 }));
  if (row.nearest_kappa_W_mK) {
    const x = percent(place(row.nearest_kappa_W_mK, domain));
    svg.append(s("line", { class: "near", x1: x, x2: x, y1: 1, y2: 15 }));
  }
  svg.append(s("circle", { class: "dot", cx: percent(place(kappa, domain)), cy: 8, r: 4 }));
  if (row.verified_kappa_W_mK) {
    const x = percent(place(row.verified_kappa_W_mK, domain));
    svg.append(s("svg", { x, y: 8, overflow: "visible" }, s("path", { class: "verified", d: "M0,-6L5,0L0,6L-5,0Z" })));
  }
  return svg;
}

/** Labels of the axis that all bars share. */
export function axis(domain) {
  const step = domain[1] - domain[0] > 6 ? 2 : 1;
  const svg = s("svg", { class: "axis", width: "100%", height: 14, "aria-hidden": "true" });
  for (let decade = domain[0]; decade <= domain[1]; decade += step) {
    const anchor = decade === domain[0] ? "start" : decade === domain[1] ? "end" : "middle";
    svg.append(s("text", { x: percent(place(10 ** decade, domain)), y: 11, "text-anchor": anchor }, tick(10 ** decade)));
  }
  return svg;
}

function cell(column, ...children) {
  return h("div", { role: "cell", class: `cell ${column}` }, children);
}

export const status = row => h("span", { class: `status ${row.status}` }, row.status === "ok" ? "" : row.status);

function rowElement(row, index, domain) {
  const rejected = row.status === "rejected", [reason] = remedy(row.reason);
  const near = row.nearest_formula && [formula(row.nearest_formula), ` ${short(row.nearest_kappa_W_mK)}`];
  const element = h("div", { role: "row", class: `row ${row.status}`, "aria-rowindex": index + 2 },
    cell("c-crystal", h("a", { href: link({ row: String(row.n) }), "data-n": row.n }, row.formula ? formula(row.formula) : row.id || "?"),
      h("small", { title: row.source }, row.id)),
    rejected || row.kappa_W_mK === null
      ? cell("c-kappa", h("span", { class: "none" }, rejected ? "not predicted" : "–"))
      : cell("c-kappa",
        h("span", { class: "value" }, h("b", {}, short(row.kappa_W_mK)),
          row.kappa_low_W_mK !== null && h("small", {}, `${short(row.kappa_low_W_mK)} – ${short(row.kappa_high_W_mK)}`)),
        bar(row, domain)),
    rejected ? cell("c-fit") : cell("c-fit", h("span", {}, score(row.applicability)), h("small", {}, fit(row.applicability))),
    rejected ? cell("c-near") : cell("c-near", h("span", {}, near || "–"), h("small", {}, row.nearest_id)),
    cell("c-kind", h("span", {}, kind(row).join(" · ")), h("small", {}, KNOWN[row.in_training] ?? "")),
    cell("c-remarks", h("span", { class: "remark", title: reason },
      row.verified_status && h("b", { class: "told" }, `verified: ${row.verified_verdict || row.verified_status}. `),
      status(row), " ", reason)));
  return element;
}

/** The table; `show(rows, sort)` gives it rows in order. */
export class Table {
  #rows = [];
  #domain = [-1, 3];
  #made = new Map();

  constructor(sortBy) {
    this.sortBy = sortBy;
    this.head = h("div", { role: "row", class: "row head", "aria-rowindex": 1 });
    this.body = h("div", { role: "rowgroup", class: "body", onkeydown: event => this.#move(event) });
    this.element = h("div", { role: "table", class: "table", "aria-label": "Predicted crystals" },
      h("div", { role: "rowgroup", class: "headgroup" }, this.head), this.body);
    this.draw = this.draw.bind(this);
    this.frame = 0;
    const later = () => (this.frame ||= requestAnimationFrame(() => ((this.frame = 0), this.draw())));
    addEventListener("scroll", later, { passive: true });
    addEventListener("resize", () => (this.#measure(), later()));
    addEventListener("beforeprint", () => this.draw(PRINTED));
    addEventListener("afterprint", later);
  }

  show(rows, sort, domain = domainOf(rows)) {
    const [key, down] = [sort.replace("-", ""), sort.startsWith("-")];
    if (String(domain) !== String(this.#domain)) this.#clear();
    this.#rows = rows;
    this.#domain = domain;
    this.head.replaceChildren(...COLUMNS.map(column => h("div",
      { role: "columnheader", class: `cell ${column.class}`, "aria-sort": column.key === key ? (down ? "descending" : "ascending") : null },
      h("button", { type: "button", title: column.hint ?? null,
        onclick: () => this.sortBy(column.key !== key ? column.key : down ? "" : `-${key}`) }, column.title),
      column.axis && axis(domain))));
    this.element.setAttribute("aria-rowcount", rows.length + 1);
    this.#measure();
    this.draw();
  }

  #clear() {
    for (const { element } of this.#made.values()) element.remove();
    this.#made.clear();
  }

  #measure() {
    const height = parseFloat(getComputedStyle(this.element).getPropertyValue("--row")) || 48;
    if (height !== this.height) this.#clear();
    this.height = height;
    this.body.style.height = `${height * this.#rows.length}px`;
  }

  /** Make the rows in sight, and remove others; those that stay keep the focus. */
  draw(all = 0) {
    if (!this.element.isConnected) return;
    const top = -this.body.getBoundingClientRect().top;
    const first = all ? 0 : Math.max(0, Math.floor(top / this.height) - OVERSCAN);
    const last = all || Math.ceil((top + innerHeight) / this.height) + OVERSCAN;
    const wanted = this.#rows.slice(first, last);
    const keep = new Set(wanted);
    for (const [row, { element }] of this.#made) {
      if (keep.has(row)) continue;
      element.remove();
      this.#made.delete(row);
    }
    let before = null;
    for (const [i, row] of wanted.entries()) {
      const index = first + i;
      let made = this.#made.get(row);
      if (!made) this.#made.set(row, (made = { element: rowElement(row, index, this.#domain), index: -1 }));
      if (made.index !== index) {
        made.element.style.transform = `translateY(${index * this.height}px)`;
        made.element.setAttribute("aria-rowindex", index + 2);
        made.index = index;
      }
      const at = before ? before.nextSibling : this.body.firstChild;
      if (at !== made.element) this.body.insertBefore(made.element, at);
      before = made.element;
    }
  }

  /** Bring a row into sight and focus it. */
  focus(n) {
    const index = this.#rows.findIndex(row => row.n === n);
    if (index < 0) return;
    const top = this.body.getBoundingClientRect().top + index * this.height, edge = this.head.getBoundingClientRect().bottom;
    if (top < edge) scrollBy(0, top - edge);
    else if (top + this.height > innerHeight) scrollBy(0, top + this.height - innerHeight);
    this.draw();
    this.body.querySelector(`a[data-n="${n}"]`)?.focus({ preventScroll: true });
  }

  #move(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12, Home: -Infinity, End: Infinity };
    const step = steps[event.key], n = Number(event.target.dataset?.n);
    const index = this.#rows.findIndex(row => row.n === n);
    if (step === undefined || index < 0) return;
    event.preventDefault();
    this.focus(this.#rows[Math.min(this.#rows.length - 1, Math.max(0, index + step))].n);
  }
}
