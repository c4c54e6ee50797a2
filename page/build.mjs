// Builds the page into the Python package, with the licences of what it bundles. The same lock gives the same bytes.
import { build } from "esbuild";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = process.argv[2] ? resolve(process.argv[2]) : join(here, "..", "src", "paraisite");
const page = join(root, "web", "static"), report = join(root, "screening", "report");
process.chdir(here);

const how = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  target: "es2022",
  legalComments: "none", // the licences are written whole, below
  metafile: true,
};
rmSync(page, { recursive: true, force: true });
mkdirSync(page, { recursive: true });
const pages = await build({
  ...how,
  entryPoints: { page: "src/main.js", style: "src/style.css" },
  splitting: true,
  format: "esm",
  alias: { "3dmol": "./node_modules/3dmol/build/3Dmol.es6-min.js" },
  chunkNames: "[name]-[hash]",
  outdir: page,
});
cpSync("src/index.html", join(page, "index.html"));
writeFileSync(join(page, "THIRD-PARTY-LICENSES"), licences(pages));

// the plots of a report stand in its one file, so that it works offline, and so do their licences
const plots = await build({ ...how, entryPoints: { plots: "src/report.js", marks: "src/marks.css" }, format: "iife", outdir: report });
const script = join(report, "plots.js");
writeFileSync(script, `/*\n${licences(plots)}*/\n${readFileSync(script, "utf8")}`);

for (const { metafile } of [pages, plots])
  for (const [path, { bytes }] of Object.entries(metafile.outputs)) console.log(String(bytes).padStart(8), path);

/** Name, version and licence of the packages whose files are in a bundle, and of what these hold in their own builds. */
function licences({ metafile }) {
  const bundled = new Set(Object.keys(metafile.inputs).map(path => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]).filter(Boolean));
  if (bundled.has("3dmol")) for (const held of Object.keys(manifest("3dmol").dependencies)) bundled.add(held); // built by webpack
  const line = "=".repeat(100);
  const texts = [...bundled].sort().map(name => {
    const { version, license } = manifest(name);
    const folder = join("node_modules", name);
    const file = readdirSync(folder).filter(f => /^(licen[cs]e|copying)/i.test(f)).sort()[0];
    if (!file) throw new Error(`${name} has no licence file`);
    return `${line}\n${name} ${version} (${license})\n${line}\n\n${readFileSync(join(folder, file), "utf8").replace(/\r\n/g, "\n").trim()}\n`;
  });
  return `What is held here of other projects, found by page/build.mjs.\n\n${texts.join("\n")}`;
}

function manifest(name) {
  const path = join("node_modules", name, "package.json");
  if (!existsSync(path)) throw new Error(`${path} is missing; run npm ci`);
  return JSON.parse(readFileSync(path, "utf8"));
}
