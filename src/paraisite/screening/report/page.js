"use strict";
const scenes = JSON.parse(document.getElementById("scenes").textContent);

/* A rotation about the screen's y axis, then its x axis, as a 3 by 3 matrix. */
function turn(a, b) {
  const [ca, sa, cb, sb] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
  return [[ca, 0, sa], [sb * sa, cb, -sb * ca], [-cb * sa, sb, cb * ca]];
}

function times(m, v) {
  return m.map(row => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
}

/* Corners and edges of the cell, from its middle. */
function box(cell) {
  const corners = [], edges = [];
  for (let n = 0; n < 8; n++) {
    const f = [n & 1, n >> 1 & 1, n >> 2].map(x => x - 0.5);
    corners.push([0, 1, 2].map(k => f[0] * cell[0][k] + f[1] * cell[1][k] + f[2] * cell[2][k]));
    for (const bit of [1, 2, 4]) if (!(n & bit)) edges.push([n, n | bit]);
  }
  return [corners, edges];
}

function mix(colour, other, share) {
  const part = (c, i) => parseInt(c.slice(1 + 2 * i, 3 + 2 * i), 16);
  return `rgb(${[0, 1, 2].map(i => Math.round(part(colour, i) * (1 - share) + part(other, i) * share)).join()})`;
}

/* Draw a crystal, far things first. */
function draw(canvas, scene, angles) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth || canvas.width, height = canvas.clientHeight || canvas.height;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.clearRect(0, 0, width, height);
  const m = turn(...angles);
  const [corners, edges] = box(scene.cell);
  const reach = Math.max(...corners.map(c => Math.hypot(...c)), ...scene.atoms.map(a => Math.hypot(a[0], a[1], a[2])));
  const scale = Math.min(width, height) / 2 / (reach + 0.5);
  const place = v => {
    const [x, y, z] = times(m, v);
    return [width / 2 + scale * x, height / 2 - scale * y, z];
  };
  const atoms = scene.atoms.map(place), things = [];
  const radius = i => 0.5 * scene.elements[scene.atoms[i][3]][2] * scale;
  const fog = z => 0.45 * Math.min(1, Math.max(0, 0.5 - z / (2 * reach)));
  const line = (a, b, thick, colour) => {
    const z = (a[2] + b[2]) / 2;
    things.push([z, () => {
      pen.strokeStyle = mix(colour, "#ffffff", fog(z));
      pen.lineWidth = thick;
      pen.beginPath();
      pen.moveTo(a[0], a[1]);
      pen.lineTo(b[0], b[1]);
      pen.stroke();
    }]);
  };
  const placed = corners.map(place), pieces = 8;
  for (const [i, j] of edges) {
    const at = t => placed[i].map((x, k) => x + (placed[j][k] - x) * t);
    for (let p = 0; p < pieces; p++) line(at(p / pieces), at((p + 1) / pieces), 1, "#606870");
  }
  for (const [i, j] of scene.bonds) {
    const middle = atoms[i].map((x, k) => (x + atoms[j][k]) / 2);
    for (const k of [i, j]) line(atoms[k], middle, Math.max(1, 0.14 * scale), scene.elements[scene.atoms[k][3]][1]);
  }
  atoms.forEach(([x, y, z], i) => things.push([z, () => {
    const r = radius(i), colour = scene.elements[scene.atoms[i][3]][1], pale = fog(z);
    const shade = pen.createRadialGradient(x - r / 3, y - r / 3, r / 8, x, y, r);
    shade.addColorStop(0, mix(colour, "#ffffff", 0.6));
    shade.addColorStop(0.5, mix(colour, "#ffffff", pale));
    shade.addColorStop(1, mix(colour, pale > 0.2 ? "#b0b4b8" : "#202428", 0.4));
    pen.fillStyle = shade;
    pen.beginPath();
    pen.arc(x, y, r, 0, 2 * Math.PI);
    pen.fill();
  }]));
  things.sort((a, b) => a[0] - b[0]);
  for (const [, paint] of things) paint();
}

/* Turn a structure by dragging. */
function turnable(canvas, current) {
  let from = null;
  canvas.addEventListener("pointerdown", event => {
    from = [event.clientX, event.clientY];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", event => {
    if (from === null) return;
    const shown = current();
    shown.angles[0] += (event.clientX - from[0]) / 120;
    shown.angles[1] += (event.clientY - from[1]) / 120;
    from = [event.clientX, event.clientY];
    draw(canvas, shown.scene, shown.angles);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { from = null; });
}

const START = [-0.45, 0.3];
const viewer = document.getElementById("viewer"), large = viewer.querySelector("canvas");
let shown = null;
turnable(large, () => shown);

const seen = new IntersectionObserver(entries => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    seen.unobserve(entry.target);
    draw(entry.target, scenes[entry.target.dataset.scene], START);
  }
});
for (const canvas of document.querySelectorAll("canvas.structure")) {
  seen.observe(canvas);
  canvas.addEventListener("click", () => {
    const scene = scenes[canvas.dataset.scene];
    shown = { scene, angles: [...START] };
    const caption = viewer.querySelector(".caption");
    caption.textContent = canvas.getAttribute("aria-label");
    for (const [symbol, colour] of scene.elements) {
      const dot = document.createElement("i");
      dot.style.background = colour;
      caption.append(dot, symbol);
    }
    viewer.showModal();
    draw(large, scene, shown.angles);
  });
}

/* Sorting and searching of tables. */
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const heading = button.closest("th"), row = heading.parentElement;
    const column = [...row.children].indexOf(heading);
    const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of row.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const body = heading.closest("table").tBodies[0];
    const key = tr => tr.children[column].dataset.key ?? tr.children[column].textContent;
    const number = heading.classList.contains("number");
    const compare = (a, b) => {
      if (!number) return sign * a.localeCompare(b, undefined, { numeric: true });
      if (a === "" || b === "") return (a === "") - (b === "");  // what is missing stays last
      return sign * (a - b);
    };
    body.append(...[...body.rows].sort((a, b) => compare(key(a), key(b))));
  });
}
const search = document.getElementById("search");
search.addEventListener("input", () => {
  const text = search.value.trim();
  const element = /^[A-Z][a-z]?$/.test(text);
  for (const row of document.querySelectorAll("#candidates tbody tr")) {
    const { system, words } = row.dataset;
    row.hidden = element ? !system.split("-").includes(text) : !words.toLowerCase().includes(text.toLowerCase());
  }
});
