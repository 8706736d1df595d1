// SPDX-License-Identifier: GPL-2.0-only
// Bundles the page into one file: node build.mjs OUT. The C++ program embeds it and puts the
// data where the marker is.
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "../../../build/report/page.html"));

async function bundle(entry) {
  const result = await esbuild.build({
    absWorkingDir: here,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: ["es2022", "chrome103", "firefox113", "safari16.4"],
    charset: "utf8",
    legalComments: "inline",
    logLevel: "warning",
  });
  return result.outputFiles[0].text.trim();
}

const hash = (text) => `'sha256-${createHash("sha256").update(text, "utf8").digest("base64")}'`;

// A function as the replacement: "$&" in the bundle means nothing.
function fill(template, marker, text) {
  if (template.split(marker).length !== 2) throw new Error(`${marker} must stand once in the template`);
  return template.replace(marker, () => text);
}

const script = await bundle("src/main.ts");
const style = await bundle("src/style.css");
for (const [name, text] of [["script", script], ["style", style]]) {
  if (new RegExp(`</${name}|<!--`, "i").test(text)) throw new Error(`the bundled ${name} would end its own element`);
}

// Only this very script and this very style run; nothing is ever loaded; and no string becomes
// markup, whatever a thread calls itself.
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

let page = await readFile(join(here, "src/template.html"), "utf8");
page = fill(page, "<!--schedscope:policy-->", policy);
page = fill(page, "<!--schedscope:style-->", style);
page = fill(page, "<!--schedscope:script-->", script);
if (page.split("<!--schedscope:data-->").length !== 2) throw new Error("the data marker must stand once in the template");
await mkdir(dirname(out), { recursive: true });
await writeFile(`${out}.part`, page);
await rename(`${out}.part`, out);
