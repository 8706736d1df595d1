// SPDX-License-Identifier: GPL-2.0-only
// Runs Perfetto's trace_processor in Node. Its loader expects a browser's worker: it gets just
// enough of one, with the WebAssembly handed over instead of fetched.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// Makes the bridge to the engine reachable, and keeps to the 32-bit engine: the package holds no
// other, while the loader would take the 64-bit one wherever that compiles.
function adapted(source) {
  let text = source;
  for (const [before, after] of [["const wasmBridge = new ", "const wasmBridge = self.bridge = new "],
    ["function hasMemory64Support() {", "function hasMemory64Support() { return false;"]]) {
    if (text.split(before).length !== 2) throw new Error("the engine's loader is not the one that was tested");
    text = text.replace(before, after);
  }
  return text;
}

async function startBridge(folder) {
  const wasm = await readFile(join(folder, "trace_processor.wasm"));
  const source = adapted(await readFile(join(folder, "engine_bundle.node.js"), "utf8"));
  const self = { location: { href: "file:///trace_processor" } };
  class Handover {
    open() {}
    send() {
      this.response = wasm;
    }
  }
  const quiet = { ...console, log() {}, warn() {} };
  new Function("self", "WorkerGlobalScope", "XMLHttpRequest", "console", source)(self, Object, Handover, quiet);
  const limit = Date.now() + 60_000;
  while (self.bridge.reqBufferAddr === 0) {
    if (Date.now() > limit) throw new Error("the engine did not start");
    await new Promise((done) => setTimeout(done, 10));
  }
  return self;
}

// The engine is newer than its JavaScript, which says so at every query.
const { warn } = console;
console.warn = (text, ...more) => {
  if (!String(text).startsWith("Unexpected QueryResult field")) warn(text, ...more);
};

export async function openTrace(folder, trace) {
  const self = await startBridge(folder);
  const { EngineBase } = await import(pathToFileURL(join(folder, "engine.mjs")));
  const port = { postMessage: (bytes) => engine.onRpcResponseBytes(bytes) };
  class Engine extends EngineBase {
    rpcSendRequestBytes(bytes) {
      port.onmessage({ data: bytes });
    }
  }
  const engine = new Engine();
  self.onmessage({ data: port });
  const bytes = await readFile(trace);
  for (let at = 0; at < bytes.length; at += 16 << 20) await engine.parse(new Uint8Array(bytes.subarray(at, at + (16 << 20))));
  await engine.notifyEof();
  return {
    // Rows as objects; columns is an example of one: { name: "", n: 0 }, 0n for a 64-bit number.
    async rows(sql, columns) {
      const result = await engine.query(sql);
      const out = [];
      for (const row = result.iter(columns); row.valid(); row.next()) {
        out.push(Object.fromEntries(Object.keys(columns).map((name) => [name, row[name]])));
      }
      return out;
    },
  };
}
