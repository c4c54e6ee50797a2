/** Numbers, formulas and kinds of crystals, as people read them. */

import { h } from "./dom.js";

/** Two significant digits, without an exponent where that reads well: 0.035, 7.1, 12, 2200. */
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size < 1e-4 || size >= 1e7) return scientific(value, 1);
  const rounded = Number(value.toPrecision(2));
  return rounded.toFixed(Math.max(0, 1 - Math.floor(Math.log10(Math.abs(rounded)))));
}

/** Four digits, for values that are read from a table. */
export function precise(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? scientific(value, 3) : String(Number(value.toPrecision(4)));
}

const scientific = (value, digits) => value.toExponential(digits).replace(/e\+?(-?\d+)/, (_, power) => ` × 10${raised(power)}`);

const raised = power => power.replace(/./g, sign => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign]));

/** A label of a log axis: 0.01, 1, 300, 10⁴. */
export function tick(value) {
  const decade = Math.log10(value);
  return Number.isInteger(decade) && (decade > 3 || decade < -3) ? `10${raised(String(decade))}` : String(Number(value.toPrecision(2)));
}

export const count = n => n.toLocaleString("en");

export const plural = (n, what) => `${count(n)} ${what}${n === 1 ? "" : "s"}`;

/** A formula with its numbers as subscripts. */
export function formula(text) {
  const parts = text.split(/(?<=[A-Za-z)\]])(\d+(?:\.\d+)?)/);
  return h("span", { class: "formula" }, parts.map((part, i) => (i % 2 ? h("sub", {}, part) : part)));
}

export const elements = text => [...new Set(text.match(/[A-Z][a-z]?/g) ?? [])];

const SHAPES = ["molecules", "chains", "layers", "framework"];

/** What a crystal is made of: framework, layers, …; metal or gap. */
export function kind(row) {
  const said = [];
  if (row.dimensionality !== null && row.dimensionality !== undefined) said.push(SHAPES[row.dimensionality]);
  if (row.is_metal) said.push("metal");
  else if (row.band_gap_eV !== null && row.band_gap_eV !== undefined) said.push(`gap ${row.band_gap_eV.toFixed(1)} eV`);
  return said;
}

export const KNOWN = { crystal: "in training", formula: "formula in training", no: "new to the model", "": "" };

/** Below this applicability the median error on known compounds is twice that of the others (`model/neighbourhood.py`). */
const OUTSIDE = 0.04;

/** Applicability as a number. */
export const score = value => (value === null || value === undefined ? "–" : value.toFixed(2));

/** Applicability in words. */
export function fit(score) {
  if (score === null || score === undefined) return "unknown";
  return score < OUTSIDE ? "far from known" : "close to known";
}

export const FAMILIES = ["oxide", "halide", "chalcogenide", "pnictide", "carbide, boride, hydride", "element", "intermetallic"];

/** Chemical family: by the first group of anions that a formula holds. */
export function family(text) {
  const found = new Set(elements(text));
  const holds = (...symbols) => symbols.some(symbol => found.has(symbol));
  if (found.size === 1) return 5;
  if (holds("O")) return 0;
  if (holds("F", "Cl", "Br", "I")) return 1;
  if (holds("S", "Se", "Te")) return 2;
  if (holds("N", "P", "As", "Sb", "Bi")) return 3;
  return holds("C", "B", "H") ? 4 : 6;
}

/** Options of the command line that a reason names, as the page has them: the key, its value, and words. */
const REMEDIES = [
  ["disorder", "majority", /take the majority species with --disorder majority( \([^)]*\))?/, "use the most frequent element of each site"],
  ["allow_vacuum", true, /predict it as it is with --allow-vacuum/, "predict it as it is"],
];

/** A reason in the words of the page, and the option that helps, as [key, value, words], or null. */
export function remedy(reason) {
  const found = REMEDIES.find(([, , pattern]) => pattern.test(reason));
  return found ? [reason.replace(found[2], found[3]), found] : [reason, null];
}

/** A text as one word of a shell. */
export const quoted = text => (/^[\w@%+=:,./-]+$/.test(text) && !text.startsWith("-") ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** A name that every file system takes. */
export const fileName = text => text.replace(/[^\w.+=-]+/g, "_").replace(/^[.-]+/, "").slice(0, 80) || "crystal";
