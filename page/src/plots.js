/** Plots: κ over temperature, a crystal among the known ones, and a whole table. */

import { axisBottom, axisLeft } from "d3-axis";
import { scaleLinear, scaleLog } from "d3-scale";
import { select } from "d3-selection";
import { area, line } from "d3-shape";
import { h, s } from "./dom.js";
import { FAMILIES, family, formula, plural, precise, short, tick } from "./format.js";

const HEIGHT = 330, EDGE = { left: 58, right: 12, top: 10, bottom: 44 };

/** Ticks of a log axis: decades, and 2 and 5 where there is room. */
function logTicks(scale) {
  const [low, high] = scale.domain().map(Math.log10);
  const found = [];
  for (let decade = Math.floor(low); decade <= Math.ceil(high); decade++)
    for (const n of high - low < 1.5 ? [1, 2, 3, 5] : high - low < 3 ? [1, 3] : [1]) {
      const value = n * 10 ** decade;
      if (value >= scale.domain()[0] * 0.999 && value <= scale.domain()[1] * 1.001) found.push(value);
    }
  return found;
}

/** A frame with axes; `plot` is where marks go, in pixels of the viewBox. */
function frame(x, y, xLabel, yLabel, label) {
  const width = innerWidth < 700 ? 400 : 560; // of the viewBox: text stays legible on a phone
  x.range([EDGE.left, width - EDGE.right]);
  y.range([HEIGHT - EDGE.bottom, EDGE.top]);
  const plot = s("g");
  const side = (scale, make, shift) => {
    const axis = make(scale).tickSizeOuter(0);
    if (scale.base) axis.tickValues(logTicks(scale)).tickFormat(tick);
    else axis.ticks(width / 90);
    const g = s("g", { class: "axis", transform: shift });
    select(g).call(axis);
    return g;
  };
  const grid = s("g", { class: "grid" }, (y.base ? logTicks(y) : y.ticks(6)).map(value =>
    s("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) })));
  const svg = s("svg", { class: "plot", viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label }, grid,
    side(x, axisBottom, `translate(0,${HEIGHT - EDGE.bottom})`), side(y, axisLeft, `translate(${EDGE.left},0)`),
    s("text", { class: "label", x: (EDGE.left + width - EDGE.right) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, xLabel),
    s("text", { class: "label", x: -(HEIGHT - EDGE.bottom + EDGE.top) / 2, y: 14, transform: "rotate(-90)", "text-anchor": "middle" }, yLabel),
    plot);
  return { svg, plot };
}

/** Place of the pointer in the viewBox. */
function pointer(svg, event) {
  const box = svg.getBoundingClientRect(), { width, height } = svg.viewBox.baseVal;
  return [((event.clientX - box.left) * width) / box.width, ((event.clientY - box.top) * height) / box.height];
}

function nearest(points, [x, y], reach = 24) {
  let best = null, least = reach ** 2;
  for (const point of points) {
    const far = (point.x - x) ** 2 + (point.y - y) ** 2;
    if (far < least) [best, least] = [point, far];
  }
  return best;
}

/** Many small dots as one path. */
const dots = points => points.map(({ x, y }) => `M${x.toFixed(1)},${y.toFixed(1)}h0`).join("");

/** κ over temperature with the band of its interval; `points` are [T, κ, low, high]. */
export function overTemperature(points, level) {
  const lows = points.map(p => p[2] ?? p[1]), highs = points.map(p => p[3] ?? p[1]);
  const x = scaleLinear([0, points.at(-1)[0]], [0, 1]);
  const y = scaleLog([Math.min(...lows) * 0.8, Math.max(...highs) * 1.25], [0, 1]);
  const { svg, plot } = frame(x, y, "temperature, K", "κ, W/m/K", "Thermal conductivity over temperature; the table below has the values");
  plot.append(
    s("path", { class: "band", d: area(p => x(p[0]), p => y(p[2] ?? p[1]), p => y(p[3] ?? p[1]))(points) }),
    s("path", { class: "curve", d: line(p => x(p[0]), p => y(p[1]))(points) }),
    points.map(p => s("circle", { class: "dot", cx: x(p[0]), cy: y(p[1]), r: 3 })));
  const told = h("p", { class: "told", "aria-live": "off" }, `Line: κ. Band: its ${level} interval.`);
  svg.addEventListener("pointermove", event => {
    const [at] = pointer(svg, event);
    const p = points.reduce((a, b) => (Math.abs(x(b[0]) - at) < Math.abs(x(a[0]) - at) ? b : a));
    told.textContent = `${p[0]} K: ${short(p[1])} W/m/K (${short(p[2])} – ${short(p[3])})`;
  });
  return [svg, told];
}

/** A crystal among the compounds with known κ; a click names a compound. */
export function amongKnown(known, row) {
  const xs = known.chart_x, ks = known.kappa_W_mK;
  const here = row.chart_x !== null && row.chart_x !== undefined;
  const values = [...ks.filter(k => k > 0), row.kappa_low_W_mK, row.kappa_high_W_mK].filter(Boolean);
  const x = scaleLinear([Math.min(...xs, row.chart_x ?? 0) - 0.3, Math.max(...xs, row.chart_x ?? 0) + 0.3], [0, 1]);
  const y = scaleLog([Math.max(1e-2, Math.min(...values) * 0.8), Math.max(...values) * 1.3], [0, 1]).clamp(true);
  const share = known.share_of_variance[0] ? ` (${Math.round(100 * known.share_of_variance[0])} % of their variety)` : "";
  const { svg, plot } = frame(x, y, `main direction in which known compounds differ${share}`, "κ, W/m/K",
    `${row.formula} among ${plural(ks.length, "compound")} with known conductivity. Arrow keys go from compound to compound.`);
  const points = ks.map((kappa, i) => ({ i, x: x(xs[i]), y: y(kappa), family: family(known.formula[i]) }));
  const shown = new Set(FAMILIES.keys());
  const paths = FAMILIES.map((_, k) => s("path", { class: `many family-${k}`, d: dots(points.filter(p => p.family === k)) }));
  const mark = s("circle", { class: "mark", r: 6, visibility: "hidden" });
  plot.append(...paths);
  if (here && row.kappa_W_mK) {
    const at = x(row.chart_x);
    plot.append(
      s("line", { class: "halo", x1: at, x2: at, y1: y(row.kappa_low_W_mK ?? row.kappa_W_mK), y2: y(row.kappa_high_W_mK ?? row.kappa_W_mK) }),
      s("line", { class: "own", x1: at, x2: at, y1: y(row.kappa_low_W_mK ?? row.kappa_W_mK), y2: y(row.kappa_high_W_mK ?? row.kappa_W_mK) }),
      s("circle", { class: "own", cx: at, cy: y(row.kappa_W_mK), r: 5.5 }));
  }
  plot.append(mark);
  const told = h("p", { class: "told", role: "status" }, "Choose a dot to see which compound it is.");
  let chosen = null;
  const choose = point => {
    if (!point) return;
    chosen = point;
    for (const [name, value] of [["cx", point.x], ["cy", point.y], ["visibility", "visible"]]) mark.setAttribute(name, value);
    told.replaceChildren(formula(known.formula[point.i]), ` (${known.dataset[point.i]} ${known.id[point.i]}): κ = ${precise(ks[point.i])} W/m/K`);
  };
  const visible = () => points.filter(p => shown.has(p.family));
  svg.classList.add("pick");
  svg.setAttribute("tabindex", 0);
  svg.addEventListener("pointermove", event => event.pointerType === "mouse" && choose(nearest(visible(), pointer(svg, event), 12)));
  svg.addEventListener("click", event => choose(nearest(visible(), pointer(svg, event))));
  svg.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const order = visible().sort((a, b) => a.x - b.x);
    const at = chosen ? order.indexOf(chosen) + step : order.findIndex(p => p.i === known.id.indexOf(row.nearest_id));
    choose(order[Math.min(order.length - 1, Math.max(0, at))]);
  });
  choose(points.find(p => known.id[p.i] === row.nearest_id));
  const legend = h("ul", { class: "legend" }, FAMILIES.map((name, k) => {
    const box = h("input", { type: "checkbox", checked: true, onchange: () => {
      shown[box.checked ? "add" : "delete"](k);
      paths[k].setAttribute("visibility", box.checked ? "visible" : "hidden");
    } });
    return h("li", {}, h("label", {}, box, h("i", { class: `swatch family-${k}` }), name));
  }));
  return [svg, told, legend];
}

/** Lines at the κ that is looked for. */
function limits(plot, x, y, bounds) {
  const [bottom, top] = y.range(), [left, right] = x.range();
  for (const at of bounds.map(x).filter(at => at > left && at < right)) plot.append(s("line", { class: "limit", x1: at, x2: at, y1: bottom, y2: top }));
}

/** How many rows have which κ; a click on a bar chooses its rows. */
export function histogram(rows, chosen, select, bounds = []) {
  const EACH = 5; // bars in a decade
  const bin = row => Math.floor(EACH * Math.log10(row.kappa_W_mK));
  const drawn = rows.filter(row => row.kappa_W_mK), within = new Set(chosen);
  const bins = new Map();
  for (const row of drawn) {
    const entry = bins.get(bin(row)) ?? [0, 0];
    bins.set(bin(row), [entry[0] + 1, entry[1] + within.has(row)]);
  }
  const edge = k => Number((10 ** (k / EACH)).toPrecision(3));
  const [first, last] = [Math.min(...bins.keys()), Math.max(...bins.keys()) + 1];
  const x = scaleLog([edge(first), edge(last)], [0, 1]);
  const y = scaleLinear([0, Math.max(...[...bins.values()].map(entry => entry[0])) * 1.05], [0, 1]);
  const sorted = drawn.map(row => row.kappa_W_mK).sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  const { svg, plot } = frame(x, y, "κ, W/m/K", "crystals", `Number of crystals by κ; the median is ${short(median)} W/m/K`);
  const told = h("p", { class: "told" }, `Median κ: ${short(median)} W/m/K. A click on a bar chooses its crystals.`);
  for (const [k, [all, some]] of bins) {
    const [from, to] = [edge(k), edge(k + 1)], column = (n, name) =>
      s("rect", { class: name, x: x(from) + 0.5, width: Math.max(1, x(to) - x(from) - 1), y: y(n), height: y(0) - y(n) });
    plot.append(s("g", { class: "pick", onclick: () => select({ min: String(from), max: String(to) }),
      onpointermove: () => (told.textContent = `${short(from)} to ${short(to)} W/m/K: ${plural(all, "crystal")}${some < all ? `, ${some} shown` : ""}`) },
      column(all, "column others"), column(some, "column")));
  }
  limits(plot, x, y, bounds);
  return [svg, told];
}

/** All rows: κ and how wide its interval is. Hovering names a crystal, dragging chooses an area, a click opens one. */
export function overview(rows, chosen, select, open, bounds = []) {
  const drawn = rows.filter(row => row.kappa_W_mK && row.kappa_low_W_mK && row.kappa_high_W_mK);
  if (drawn.length < 2) return null;
  const ratio = row => row.kappa_high_W_mK / row.kappa_low_W_mK;
  const span = (values, pad) => [Math.min(...values) / pad, Math.max(...values) * pad];
  const x = scaleLog(span(drawn.map(row => row.kappa_W_mK), 1.3), [0, 1]);
  const y = scaleLog(span(drawn.map(ratio), 1.15), [0, 1]);
  const { svg, plot } = frame(x, y, "κ, W/m/K", "upper ÷ lower end of the interval",
    `${plural(drawn.length, "crystal")} by κ and width of the interval`);
  const within = new Set(chosen);
  const points = drawn.map(row => ({ row, x: x(row.kappa_W_mK), y: y(ratio(row)) }));
  const group = (name, some) => s("path", { class: `many ${name}`, d: dots(some) });
  const mark = s("circle", { class: "mark", r: 6, visibility: "hidden" });
  const box = s("rect", { class: "brush", visibility: "hidden" });
  plot.append(group("others", points.filter(p => !within.has(p.row))),
    group("ok", points.filter(p => within.has(p.row) && p.row.status === "ok")),
    group("warning", points.filter(p => within.has(p.row) && p.row.status !== "ok")), mark, box);
  limits(plot, x, y, bounds);
  const told = h("p", { class: "told" }, "Hover names a crystal, a click opens it, dragging chooses an area.");
  let from = null, found = null;
  svg.classList.add("pick");
  svg.addEventListener("pointerdown", event => {
    if (event.pointerType !== "mouse") return; // a finger scrolls the page
    from = pointer(svg, event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", event => {
    const at = pointer(svg, event);
    if (from) {
      const [left, right] = [from[0], at[0]].sort((a, b) => a - b), [top, bottom] = [from[1], at[1]].sort((a, b) => a - b);
      for (const [name, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top, visibility: "visible" }))
        box.setAttribute(name, value);
      return;
    }
    found = nearest(points, at, 12);
    mark.setAttribute("visibility", found ? "visible" : "hidden");
    if (!found) return;
    mark.setAttribute("cx", found.x);
    mark.setAttribute("cy", found.y);
    const { row } = found;
    told.replaceChildren(formula(row.formula), ` (${row.id}): ${short(row.kappa_W_mK)} W/m/K, ${short(row.kappa_low_W_mK)} – ${short(row.kappa_high_W_mK)}`);
  });
  svg.addEventListener("pointerup", event => {
    const at = pointer(svg, event), start = from ?? at;
    from = null;
    if (Math.hypot(at[0] - start[0], at[1] - start[1]) < 5) {
      const point = nearest(points, at);
      if (point) open(point.row);
      return;
    }
    const ends = (scale, a, b) => [a, b].map(v => scale.invert(v)).sort((p, q) => p - q).map(v => String(Number(v.toPrecision(3))));
    const [min, max] = ends(x, start[0], at[0]), [low, high] = ends(y, start[1], at[1]);
    select({ min, max, from: low, to: high });
  });
  return [svg, told];
}
