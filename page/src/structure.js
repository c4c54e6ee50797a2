/** The structure as a picture that turns; 3Dmol is loaded when the first one is shown. */

import { h } from "./dom.js";
import { plural } from "./format.js";

const MOST = 4000; // sites drawn
const ON_FACE = 1e-3; // fractions of an edge: sites this near to a face are repeated on the opposite one

/** Cell and sites of a CIF in P 1, as the service writes it. */
export function parse(cif) {
  const number = name => Number(cif.match(new RegExp(`^_cell_${name}\\s+(\\S+)`, "m"))?.[1]);
  const [a, b, c] = ["length_a", "length_b", "length_c"].map(number);
  const angles = ["angle_alpha", "angle_beta", "angle_gamma"].map(number);
  const [alpha, beta, gamma] = angles.map(angle => (angle * Math.PI) / 180);
  const x = Math.cos(beta), y = (Math.cos(alpha) - x * Math.cos(gamma)) / Math.sin(gamma);
  const cell = [[a, 0, 0], [b * Math.cos(gamma), b * Math.sin(gamma), 0], [c * x, c * y, c * Math.sqrt(Math.max(0, 1 - x * x - y * y))]];
  const sites = [...cif.matchAll(/^([A-Z][a-z]?) \S+ \S+ (\S+) (\S+) (\S+)$/gm)].map(match => [match[1], match.slice(2).map(Number)]);
  return { lengths: [a, b, c], angles, cell, sites };
}

const cartesian = (cell, f) => [0, 1, 2].map(k => f[0] * cell[0][k] + f[1] * cell[1][k] + f[2] * cell[2][k]);

/** Sites of some cells in a row along each edge, those on faces repeated. */
function repeated({ sites }, times) {
  const found = [];
  for (const [symbol, at] of sites) {
    const inside = at.map(x => x - Math.floor(x + ON_FACE));
    const shifts = inside.map(x => Array.from({ length: times + (Math.abs(x) < ON_FACE ? 1 : 0) }, (_, i) => i));
    for (const i of shifts[0]) for (const j of shifts[1]) for (const k of shifts[2])
      found.push([symbol, [inside[0] + i, inside[1] + j, inside[2] + k]]);
  }
  return found;
}

/** Show a CIF; returns the element, and lengths and angles as a table. */
export function structureView(cif, name) {
  const crystal = parse(cif);
  const symbols = [...new Set(crystal.sites.map(([symbol]) => symbol))];
  const stage = h("div", { class: "stage", role: "img", tabindex: 0, "aria-label": `Structure of ${name}: ${plural(crystal.sites.length, "site")} of ${symbols.join(", ")}. Drag or use the arrow keys to turn it.` });
  const legend = h("ul", { class: "legend", "aria-label": "Elements" });
  const controls = h("div", { class: "controls" });
  const [la, lb, lc] = crystal.lengths.map(x => x.toFixed(3)), [alpha, beta, gamma] = crystal.angles.map(x => `${Number(x.toFixed(2))}°`);
  const cellLine = h("p", { class: "told" }, `Cell: ${la} × ${lb} × ${lc} Å; ${alpha}, ${beta}, ${gamma}; ${plural(crystal.sites.length, "site")}. Drag turns, the wheel zooms.`);
  show().catch(error => stage.replaceChildren(h("p", { class: "empty" }, `No picture: ${error.message} The CIF can be saved below.`)));
  return h("div", { class: "structure" }, stage, controls, legend, cellLine);

  async function show() {
    if (crystal.sites.length > MOST) throw new Error(`there are more than ${MOST} sites.`);
    const probe = document.createElement("canvas").getContext("webgl"); // 3Dmol says nothing without it
    if (!probe) throw new Error("this browser shows no WebGL.");
    release(probe);
    await new Promise(done => requestAnimationFrame(() => setTimeout(done))); // numbers are drawn before the picture
    if (!stage.isConnected) return;
    const { createViewer, elementColors } = await import("3dmol");
    if (!stage.isConnected) return;
    const viewer = createViewer(stage, { backgroundAlpha: 0, antialias: true });
    const colour = symbol => elementColors.Jmol[symbol] ?? 0xcccccc;
    let times = crystal.sites.length <= 4 ? 2 : 1;
    const draw = () => {
      viewer.removeAllModels();
      viewer.removeAllShapes();
      const sites = repeated(crystal, times);
      const lines = sites.map(([symbol, at]) => `${symbol} ${cartesian(crystal.cell, at).join(" ")}`);
      const model = viewer.addModel(`${lines.length}\n\n${lines.join("\n")}\n`, "xyz");
      for (const symbol of symbols)
        model.setStyle({ elem: symbol }, { sphere: { scale: 0.28, color: colour(symbol) }, stick: { radius: 0.1, color: colour(symbol) } });
      edges(viewer, crystal.cell);
    };
    const look = () => {
      viewer.setView([0, 0, 0, 0, 0, 0, 0, 1]);
      viewer.rotate(-75, "x");
      viewer.rotate(25, "y");
      viewer.zoomTo();
      viewer.zoom(0.9);
      viewer.render();
    };
    draw();
    look();
    const button = (text, action) => h("button", { type: "button", class: "plain", onclick: action }, text);
    const cells = button("", () => {
      times = times === 1 ? 2 : 1;
      named();
      draw();
      look();
    });
    const named = () => (cells.textContent = times === 1 ? "Show 2 × 2 × 2 cells" : "Show one cell");
    named();
    controls.append(cells, button("Reset view", look));
    legend.append(...symbols.map(symbol => h("li", {}, swatch(colour(symbol)), symbol)));
    stage.addEventListener("keydown", event => {
      const [angle, axis] = { ArrowLeft: [-10, "y"], ArrowRight: [10, "y"], ArrowUp: [-10, "x"], ArrowDown: [10, "x"] }[event.key] ?? [];
      if (!axis) return;
      event.preventDefault();
      viewer.rotate(angle, axis);
      viewer.render();
    });
    const sizes = new ResizeObserver(() => {
      if (stage.isConnected) return viewer.resize();
      sizes.disconnect();
      const canvas = stage.querySelector("canvas");
      release(canvas.getContext("webgl2") ?? canvas.getContext("webgl"));
    });
    sizes.observe(stage);
  }
}

/** A browser has few contexts for pictures, and gives them back late. */
const release = context => context?.getExtension("WEBGL_lose_context")?.loseContext();

function swatch(colour) {
  const made = h("i", { class: "swatch" });
  made.style.background = `#${colour.toString(16).padStart(6, "0")}`;
  return made;
}

/** The edges of the cell. */
function edges(viewer, cell) {
  const grey = getComputedStyle(document.body).color.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum * 256 + Number(part), 0);
  const corner = n => cartesian(cell, [n & 1, (n >> 1) & 1, n >> 2]);
  const point = ([x, y, z]) => ({ x, y, z });
  for (let n = 0; n < 8; n++)
    for (const bit of [1, 2, 4])
      if (!(n & bit)) viewer.addCylinder({ start: point(corner(n)), end: point(corner(n | bit)), radius: 0.035, color: grey, fromCap: 1, toCap: 1 });
}
