/** Where structures come in: dropped, chosen, pasted, or one of the examples. */

import { get } from "./api.js";
import { h } from "./dom.js";
import { count, formula } from "./format.js";

/** What a person asks for beside the structures. */
export const options = { level: "0.9", disorder: "reject", allow_vacuum: false, held_out: false };

/** Files of a drop, those in folders included, with their paths as names. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map(file => [file, file.name]);
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    found.push([file, entry.fullPath.slice(1) || file.name]);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed)); // a hundred at a time
    if (!some.length) return;
    for (const each of some) await walk(each, found);
  }
}

/** The name that tells the format of a pasted text. */
export function nameOf(text) {
  if (/^\s*[[{]/.test(text)) return "pasted.json";
  return /^\s*(data_|_cell_|loop_)/m.test(text) ? "pasted.cif" : "POSCAR";
}

function optionsForm() {
  const select = (name, label, choices) => {
    const made = h("select", { id: `option-${name}`, onchange: () => (options[name] = made.value) },
      choices.map(([value, text]) => h("option", { value, selected: options[name] === value }, text)));
    return h("div", { class: "field" }, h("label", { for: made.id }, label), made);
  };
  const check = (name, label) => {
    const made = h("input", { type: "checkbox", checked: options[name], onchange: () => (options[name] = made.checked) });
    return h("label", { class: "check" }, made, h("span", {}, label));
  };
  return h("details", { class: "options" }, h("summary", {}, "Options"),
    select("level", "Interval", [["0.5", "50 %"], ["0.8", "80 %"], ["0.9", "90 %"], ["0.95", "95 %"], ["0.99", "99 %"]]),
    select("disorder", "Sites shared by several elements",
      [["reject", "reject the structure"], ["majority", "use the most frequent element"]]),
    check("allow_vacuum", "Predict slabs, wires and molecules in vacuum, too"),
    check("held_out", "For known compounds, use only networks that were not trained on the formula"));
}

/** The first page. `start` takes { files }, { text } or { examples }; `note` says why it is shown instead of rows. */
export function startView(start, note = "") {
  const chooser = h("input", { type: "file", multiple: true, id: "files", class: "hidden", tabindex: -1, "aria-label": "Structure files",
    onchange: () => chooser.files.length && start({ files: [...chooser.files].map(file => [file, file.name]) }) });
  const about = h("p", { class: "faint" }, "CIF, POSCAR, extended XYZ, JSON of pymatgen, ASE and OPTIMADE, and archives of them.");
  const box = h("textarea", { id: "paste", rows: 8, spellcheck: "false", autocapitalize: "off",
    placeholder: "NaCl\n5.6\n0 .5 .5\n.5 0 .5\n.5 .5 0\nNa Cl\n1 1\nDirect\n0 0 0\n.5 .5 .5",
    onkeydown: event => event.key === "Enter" && (event.ctrlKey || event.metaKey) && pasted() });
  const pasted = () => (box.value.trim() ? start({ text: box.value }) : box.focus());
  const chips = h("ul", { class: "chips", "aria-label": "Examples" });
  get("/limits").then(limits => {
    about.append(` At most ${count(Math.round(limits.body_bytes / 1e6))} MB and ${count(limits.crystals)} structures at a time.`);
  }, () => {});
  get("/examples").then(all => {
    const names = all.map(({ name }) => name.replace(/\.cif$/, ""));
    chips.append(...[[], ...names.map(name => [name])].map(names => h("li", {},
      h("button", { type: "button", onclick: () => start({ examples: names }) }, names.length ? formula(names[0]) : `all ${all.length}`))));
  }, error => chips.append(h("li", {}, error.message)));
  return h("div", { class: "start" },
    note && h("p", { class: "banner", role: "alert" }, note),
    h("h1", {}, "How well does a crystal conduct heat?"),
    h("p", { class: "lead" }, "Give a crystal structure; get the thermal conductivity of its lattice, κ, at room temperature (300 K): ",
      "with an interval, how far to trust it, and the known compound that is most like it."),
    h("div", { class: "ways" },
      h("section", { class: "drop", "aria-labelledby": "drop-title" },
        h("h2", { id: "drop-title" }, "Drop structure files here"),
        chooser, h("button", { type: "button", class: "primary", onclick: () => chooser.click() }, "Choose files"),
        about),
      h("section", {},
        h("label", { for: "paste", class: "title" }, "or paste a CIF or POSCAR"), box,
        h("button", { type: "button", class: "primary", onclick: pasted }, "Predict")),
      h("section", { class: "examples" }, h("h2", {}, "or look at an example"), chips)),
    optionsForm(),
    h("p", { class: "faint" }, "Files stay on the machine that runs this service, and are removed there with the answer."));
}
