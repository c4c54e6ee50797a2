/** The page: which view is shown, and what comes in from anywhere on it. */

import { correct, go, onchange, state } from "./address.js";
import { get } from "./api.js";
import { detailView } from "./detail.js";
import { h } from "./dom.js";
import { dropped, nameOf, options, startView } from "./input.js";
import { listView } from "./list.js";
import { begin, exampleId, find, newId } from "./runs.js";
import "./theme.js";

const main = document.getElementById("main");
let list = null; // view of the run that is shown, kept while a crystal of it is looked at
let run = null;
let turn = 0;
let scrolled = 0;

const GONE = "These structures are not kept after the page is closed. Send them again.";

/** Predict what a person gave. */
async function start(given) {
  if (given.examples) return go({ ...blank(), run: exampleId(given.examples) });
  const id = newId();
  if (given.text !== undefined) {
    begin(id, "Pasted structure", { ...options }, given.text, "text/plain", { name: nameOf(given.text) }).given = given;
  } else {
    const form = new FormData();
    for (const [file, name] of given.files) form.append("file", file, name);
    const n = given.files.length, size = given.files.reduce((sum, [file]) => sum + file.size, 0);
    const most = (await get("/limits").catch(() => ({}))).body_bytes ?? Infinity;
    if (!n) return;
    if (size > most) {
      put(startView(start, `These files hold ${Math.ceil(size / 1e6)} MB; the service takes ${most / 1e6} MB at a time. Send fewer, or pack them.`), "ParAIsite");
      return;
    }
    begin(id, n === 1 ? given.files[0][1] : `${n} files`, { ...options }, form).given = given;
  }
  go({ ...blank(), run: id });
}

const blank = () => Object.fromEntries(Object.keys(state()).map(key => [key, ""]));

async function show(asked) {
  const mine = ++turn;
  if (!asked.run) {
    list = run = null;
    return put(startView(start), "ParAIsite");
  }
  if (!run || run.id !== asked.run) {
    let found = null, note = GONE;
    try {
      found = await find(asked.run, { ...options });
    } catch (error) {
      note = error.message;
      if (error.status === 401) return put(tokenView(), "ParAIsite");
    }
    if (mine !== turn) return;
    if (!found) return put(startView(start, note), "ParAIsite");
    run = found;
    list = listView(run);
    run.finished.then(() => alone(asked.run));
    list.element.querySelector(".titlebar a").addEventListener("click", event => {
      event.preventDefault();
      go(blank());
    });
  }
  const row = asked.row === "" ? null : run.rows[Number(asked.row)];
  if (row) {
    if (list.element.isConnected) scrolled = scrollY;
    const shown = detailView(run, row, list.rows().length ? list.rows() : run.rows, (name, value) => {
      options[name] = value;
      start(run.given);
    });
    return put(shown.element, `${shown.name} · ParAIsite`, shown.title);
  }
  if (asked.row !== "") correct({ row: "" });
  const back = !list.element.isConnected;
  if (back) put(list.element, `${list.name} · ParAIsite`, list.title, true);
  list.draw();
  if (back) scrollTo(0, scrolled);
}

/** Open the crystal of a set that has just one. */
function alone(id) {
  const now = state();
  if (now.run !== id || now.row !== "" || run.rows.length !== 1 || run.opened) return;
  run.opened = true;
  correct({ row: "0" });
  show(state());
}

function put(element, title, focus = null, keepPlace = false) {
  const first = !main.firstElementChild || main.firstElementChild.tagName === "NOSCRIPT";
  main.replaceChildren(element);
  document.title = title;
  if (!keepPlace) scrollTo(0, 0);
  if (!first) (focus ?? main).focus({ preventScroll: true });
}

/** Where the service requires a token. */
function tokenView() {
  const field = h("input", { type: "password", id: "token", autocomplete: "off", required: true });
  return h("form", { class: "start", onsubmit: event => {
    event.preventDefault();
    sessionStorage.setItem("token", field.value);
    location.reload();
  } }, h("h1", {}, "This service requires a token"), h("div", { class: "field" }, h("label", { for: "token" }, "Token"), field),
  h("button", { class: "primary" }, "Continue"));
}

// files and texts may come in on every view
let deep = 0;
const carries = event => event.dataTransfer?.types.includes("Files") || event.dataTransfer?.types.includes("text/plain");
addEventListener("dragenter", event => carries(event) && document.body.classList.toggle("dragging", ++deep > 0));
addEventListener("dragleave", event => carries(event) && document.body.classList.toggle("dragging", --deep > 0));
addEventListener("dragover", event => carries(event) && event.preventDefault());
addEventListener("drop", async event => {
  if (!carries(event) || event.target.closest("textarea, input")) return;
  event.preventDefault();
  deep = 0;
  document.body.classList.remove("dragging");
  const text = event.dataTransfer.getData("text/plain");
  const files = await dropped(event.dataTransfer);
  if (files.length) start({ files });
  else if (text.trim()) start({ text });
});
addEventListener("paste", event => {
  if (event.target.closest?.("textarea, input")) return;
  const files = [...event.clipboardData.files].map(file => [file, file.name]);
  const text = event.clipboardData.getData("text/plain");
  if (files.length) start({ files });
  else if (text.trim()) start({ text });
});

onchange(show);
document.querySelector(".skip").addEventListener("click", event => {
  event.preventDefault();
  main.focus();
});
document.querySelector(".brand").addEventListener("click", event => {
  event.preventDefault();
  go(blank());
});

get("/results").then(({ rows }) => {
  if (rows && !location.hash) correct({ run: "results" });
  show(state());
}, error => (error.status === 401 ? put(tokenView(), "ParAIsite") : show(state())));
