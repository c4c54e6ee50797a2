/** Files that a person takes away: CSV, JSON, CIF. */

import { strToU8, zipSync } from "fflate";
import { text } from "./api.js";
import { h } from "./dom.js";
import { fileName } from "./format.js";

const HIDDEN = new Set(["n", "cif"]);

export function download(content, name, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const anchor = h("a", { href: url, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

const columns = rows => [...new Set(rows.flatMap(Object.keys))].filter(name => !HIDDEN.has(name));

/** A cell that no spreadsheet takes for a command, as the service writes it. */
function cell(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" && /^'*[=+\-@＝＋－＠]./s.test(value) && Number.isNaN(Number(value)) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csv(rows) {
  const names = columns(rows);
  return [names, ...rows.map(row => names.map(name => row[name]))].map(cells => `${cells.map(cell).join(",")}\n`).join("");
}

export function json(rows) {
  const names = columns(rows);
  return `[\n${rows.map(row => JSON.stringify(Object.fromEntries(names.map(name => [name, row[name] ?? null])))).join(",\n")}\n]\n`;
}

/** The structure of a row: it came with the prediction, or is read where the results say. */
export async function structureOf(row, run) {
  if (run.id === "results") row.cif ??= await text(`/results/rows/${row.n}/structure`);
  return row.cif ?? "";
}

/** CIFs of some rows in one archive; returns how many there are. */
export async function cifs(rows, run) {
  const files = {};
  for (const row of rows) {
    const content = await structureOf(row, run).catch(() => "");
    if (!content) continue;
    const stem = fileName(row.id || row.formula);
    let name = `${stem}.cif`;
    for (let i = 2; name in files; i++) name = `${stem}-${i}.cif`;
    files[name] = strToU8(content);
  }
  download(zipSync(files), "crystals.zip", "application/zip");
  return Object.keys(files).length;
}
