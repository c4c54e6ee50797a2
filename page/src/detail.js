/** One crystal: its κ and how far to trust it, structure, temperatures, known compounds, properties, verification. */

import { link } from "./address.js";
import { get, predict } from "./api.js";
import { h } from "./dom.js";
import { KNOWN, fileName, fit, formula, kind, plural, precise, quoted, remedy, score, short } from "./format.js";
import { amongKnown, overTemperature } from "./plots.js";
import { download, structureOf } from "./save.js";
import { structureView } from "./structure.js";
import { axis, bar, domainOf } from "./table.js";

const TEMPERATURES = [100, 150, 200, 250, 300, 400, 500, 600, 700, 800, 900, 1000, 1200, 1500];
const NEEDS_FILES = "formation_energy"; // its weights do not ship

/** `again` sends the files of a run again with a changed option. */
export function detailView(run, row, rows, again) {
  const at = rows.indexOf(row);
  const step = (other, text) => other ? h("a", { href: link({ row: String(other.n) }), class: "button" }, text) : h("span", { class: "button off" }, text);
  const title = h("h1", { tabindex: -1 }, row.formula ? formula(row.formula) : row.id || "Crystal");
  const level = run.level ? `${Number((100 * run.level).toPrecision(4))} %` : "";
  const view = h("article", { class: "detail" },
    h("nav", { class: "titlebar", "aria-label": "Crystals" }, h("a", { class: "button", href: link({ row: "" }) }, "← All crystals"),
      rows.length > 1 && [h("span", { class: "faint" }, at >= 0 ? `${at + 1} of ${rows.length}` : ""),
        step(rows[at - 1], "Previous"), step(at >= 0 ? rows[at + 1] : null, "Next")]),
    h("header", {}, title, h("p", { class: "faint" }, [row.id, row.source !== row.id && row.source, row.n_sites && plural(row.n_sites, "site")].filter(Boolean).join(" · "))));
  if (row.status === "rejected") {
    const [reason, option] = remedy(row.reason);
    view.append(h("p", { class: "banner rejected" }, h("b", {}, "Not predicted: "), reason,
      option && run.given && [" ", h("button", { type: "button", onclick: () => again(option[0], option[1]) }, "Predict again so")]));
  } else {
    if (row.status === "warning") view.append(h("p", { class: "banner" }, h("b", {}, "Warning: "), row.reason));
    view.append(trust(row, level));
  }
  const structure = card("Structure", "Loading …");
  const temperature = card("κ over temperature");
  const known = card("Among known compounds");
  const directions = card("Directions");
  const properties = card("Other predicted properties");
  const verify = h("section", { class: "card" });
  const left = h("div", {}, structure), right = h("div");
  view.append(h("div", { class: "columns" }, left, right));
  structureOf(row, run).then(cif => {
    if (!cif) throw new Error("No structure was read from the file.");
    const name = `${fileName(row.id || row.formula)}.cif`;
    structure.replaceChildren(h("h2", {}, "Structure"), structureView(cif, row.formula),
      h("p", {}, h("button", { type: "button", class: "plain", onclick: () => download(cif, name, "chemical/x-cif") }, "Save CIF")));
    if (row.status === "rejected") return;
    left.append(temperature, directions, verify);
    right.append(known, properties);
    verify.append(...verification(row, name, cif));
    further(run, row, cif, name).then(([all, columns]) => fill(all, columns), error => {
      for (const section of [known, temperature, directions, properties]) section.remove();
      right.append(h("p", { class: "banner" }, `Further predictions failed: ${error.message}`));
    });
  }).catch(error => structure.replaceChildren(h("h2", {}, "Structure"), h("p", { class: "empty" }, error.message)));

  async function fill(all, columns) {
    const points = TEMPERATURES.map(t => [t, ...["", "_low", "_high"].map(end => all[`kappa_${t}K${end}_W_mK`])]).filter(point => point[1]);
    set(temperature, points.length > 1 && [...overTemperature(points, level),
      h("details", {}, h("summary", {}, "Values"), table(["T, K", "κ, W/m/K", "interval"], points.map(p => [p[0], precise(p[1]), `${precise(p[2])} – ${precise(p[3])}`])))]);
    const axes = ["xx", "yy", "zz"].map(name => [name, all[`kappa_${name}_W_mK`]]);
    set(directions, axes.every(([, value]) => value) && [
      h("p", { class: "faint" }, "κ along the axes of the standard setting of the crystal, at 300 K."),
      table(["axis", "κ, W/m/K"], axes.map(([name, value]) => [name[0], precise(value)]))]);
    const told = columns.filter(({ name }) => name in all && all[name] !== null);
    set(properties, told.length && [table(["property", "value", "unit"], told.map(({ name, property, unit, meaning }) =>
      [[named(property), h("small", {}, ` ${meaning.replaceAll("`", "")}`)], precise(all[name]), unit && unit !== "1" ? unit.replace("^2", "²") : ""]))]);
    const compounds = await get("/known");
    set(known, compounds.formula.length && amongKnown(compounds, { ...row, chart_x: all.chart_x }));
  }
  return { element: view, title, name: row.formula || row.id };
}

const card = (title, wait = "Calculating …") => h("section", { class: "card" }, h("h2", {}, title), h("p", { class: "faint" }, wait));

function set(section, content) {
  if (content) section.replaceChildren(section.firstChild, ...content);
  else section.remove();
}

const named = property => property.replaceAll("_", " ").replace(/^kappa/, "κ").replace("debye", "Debye").replace("gruneisen", "Grüneisen");

function table(head, rows) {
  return h("table", {}, h("thead", {}, h("tr", {}, head.map(text => h("th", { scope: "col" }, text)))),
    h("tbody", {}, rows.map(cells => h("tr", {}, cells.map((cell, i) => h(i ? "td" : "th", i ? {} : { scope: "row" }, cell))))));
}

/** What the model says of the crystal beside κ at 300 K. */
async function further(run, row, cif, name) {
  const models = await get("/models");
  const { card } = await get(`/models/${encodeURIComponent(models.find(model => model.served).name)}`);
  const properties = card.properties.filter(name => !name.startsWith(NEEDS_FILES));
  const holds = ["kappa_particle", "kappa_coherence", "mean_frequency"].every(name => properties.includes(name)); // as κ(T) needs them
  const query = { ...run.query, level: run.level ?? 0.9, name, allow_vacuum: true, tensor: true, properties, temperatures: holds ? TEMPERATURES : [] };
  const listed = new URLSearchParams(properties.map(name => ["properties", name]));
  const [columns, all] = await Promise.all([get(`/columns?${listed}`), first(predict(cif, "text/plain", query))]);
  if (all.status === "rejected") throw new Error(all.reason);
  const plain = new Set((await get("/columns")).map(column => column.name));
  return [all, columns.filter(column => !plain.has(column.name)).map((column, i) => ({ ...column, property: properties[i] }))];
}

async function first(rows) {
  for await (const row of rows) return row;
  throw new Error("The service gave no row.");
}

/** κ, applicability and the nearest compound, with equal weight. */
function trust(row, level) {
  const domain = domainOf([row]);
  return h("div", { class: "trust" },
    h("section", { class: "card" }, h("h2", {}, "Conductivity at 300 K"),
      h("p", { class: "big" }, h("b", {}, short(row.kappa_W_mK)), " W/m/K"),
      row.kappa_low_W_mK !== null && h("p", {}, `${level} interval: ${short(row.kappa_low_W_mK)} – ${short(row.kappa_high_W_mK)}`),
      row.kappa_W_mK && [bar(row, domain), axis(domain)],
      row.verified_status && h("p", {}, h("b", {}, "Verified: "),
        [row.verified_kappa_W_mK && `${short(row.verified_kappa_W_mK)} W/m/K`, row.verified_verdict || row.verified_status, row.verified_reason].filter(Boolean).join(", "))),
    h("section", { class: "card" }, h("h2", {}, "Applicability"),
      h("p", { class: "big" }, h("b", {}, score(row.applicability)), " of 1"),
      h("p", {}, fit(row.applicability)),
      h("p", { class: "faint" }, kind(row).join(" · "))),
    h("section", { class: "card" }, h("h2", {}, "Nearest known compound"),
      row.nearest_formula ? [h("p", { class: "big" }, h("b", {}, formula(row.nearest_formula)), ` ${short(row.nearest_kappa_W_mK)} W/m/K`),
        h("p", {}, `${row.nearest_source} ${row.nearest_id}`)] : h("p", {}, row.nearest_known || "–"),
      h("p", { class: "faint" }, row.in_training && `This crystal: ${KNOWN[row.in_training]}.`)));
}

/** The commands that check a prediction by a phonon calculation. */
function verification(row, name, cif) {
  const command = text => {
    const code = h("code", {}, text);
    const copy = h("button", { type: "button", class: "plain", onclick: async () => {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } }, "Copy");
    return h("div", { class: "command" }, h("pre", { tabindex: 0 }, code), navigator.clipboard && copy);
  };
  return [h("h2", {}, "Verify"),
    h("p", {}, "A phonon calculation with an interatomic potential checks the prediction. Save the CIF, and run in its folder (minutes to hours):"),
    h("p", {}, h("button", { type: "button", class: "plain", onclick: () => download(cif, name, "chemical/x-cif") }, `Save ${name}`)),
    command(`paraisite verify ${quoted(name)} -o verified/`),
    h("p", { class: "faint" }, "For a first look within seconds (sound velocities, Debye temperature, Slack estimate):"),
    command(`paraisite verify ${quoted(name)} --quick -o quick/`)];
}
