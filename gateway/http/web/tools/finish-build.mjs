// The last step of a build: the licences of what the page contains, its compressed files, and a digest of its sources.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { brotliCompressSync } from "node:zlib";

const WEB = join(import.meta.dirname, "..");
const ROOT = join(WEB, "../../..");
/** What the built page depends on. A test computes the same digest without Node, to find a stale build. */
const SOURCES = ["gateway/http/web", "clients/typescript"];
const NOT_SOURCES = /^(node_modules|dist|tests|README\.md|.+\.d\.ts)$/;

export function finishBuild() {
  let target = "";
  return {
    name: "finish-build",
    configResolved({ root, build }) {
      target = resolve(root, build.outDir);
    },
    closeBundle() {
      writeFileSync(join(target, "assets/licences.txt"), licences());
      compress(join(target, "assets/studio.js"));
      compress(join(target, "assets/studio.css"));
      writeFileSync(join(target, "sources.sha256"), `${digestOfSources()}\n`);
    },
  };
}

/** Writes a file's Brotli form beside it, with the best quality, because the gateway cannot compress so. */
function compress(file) {
  writeFileSync(`${file}.br`, brotliCompressSync(readFileSync(file)));
}

/** The licences of the packages whose code is in the page: those are `dependencies`, all else is tools. */
function licences() {
  const { dependencies } = JSON.parse(readFileSync(join(WEB, "package.json"), "utf8"));
  return packagesOf(Object.keys(dependencies))
    .map((name) => {
      const folder = join(WEB, "node_modules", name);
      const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
      const text = file ? readFileSync(join(folder, file), "utf8").trim() : "";
      return `${name} ${version} (${license})\n\n${text}\n`;
    })
    .join(`\n${"-".repeat(80)}\n\n`);
}

/** The packages and those that they depend on, sorted. */
function packagesOf(names, found = new Set()) {
  for (const name of names.filter((each) => !found.has(each))) {
    found.add(name);
    const file = join(WEB, "node_modules", name, "package.json");
    packagesOf(Object.keys(JSON.parse(readFileSync(file, "utf8")).dependencies ?? {}), found);
  }
  return [...found].sort();
}

/** SHA-256 over the names and contents of all sources, sorted by name. */
function digestOfSources() {
  const files = SOURCES.flatMap((folder) => filesIn(join(ROOT, folder))).sort();
  const digest = createHash("sha256");
  for (const file of files)
    digest
      .update(`${file}\0`)
      .update(readFileSync(join(ROOT, file)))
      .update("\0");
  return digest.digest("hex");
}

function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (NOT_SOURCES.test(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(path) : [relative(ROOT, path)];
  });
}
