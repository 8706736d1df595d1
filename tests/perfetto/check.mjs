// SPDX-License-Identifier: GPL-2.0-only
// check.mjs ENGINE TRACE REPORT.json: opens an exported trace in Perfetto's own engine and holds it
// against the report of the same capture. Prints TAP.
import { readFile } from "node:fs/promises";
import { openTrace } from "./engine.mjs";

const [folder, trace, json] = process.argv.slice(2);
const report = JSON.parse(await readFile(json, "utf8"));
const lost = Object.values(report.records.lost).some((count) => count > 0);
const text = "str_null";
let number = 0, failed = 0;

async function test(name, body) {
  ++number;
  try {
    await body();
    console.log(`ok ${number} - ${name}`);
  } catch (error) {
    ++failed;
    console.log(`not ok ${number} - ${name}`);
    console.log(String(error.stack ?? error).replace(/^/gm, "  # "));
  }
}

function same(actual, expected, what) {
  if (actual !== expected) throw new Error(`${what}: ${actual}, not ${expected}`);
}

const engine = await openTrace(folder, trace);
const one = async (sql) => Number((await engine.rows(sql, { n: 0n }))[0].n);

await test("each switch is a row of sched", async () => {
  same(await one("select cast(count(*) as int) as n from sched"), report.records.switches, "rows");
});

await test("nothing is wrong with the trace, and loss shows only where it was", async () => {
  const bad = await engine.rows("select name, severity from stats where value > 0 and severity in ('error', 'data_loss')", { name: text, severity: text });
  // After a gap the engine notes that a CPU's threads do not follow each other: that is the gap.
  const expected = new Set(lost ? ["ftrace_cpu_has_data_loss", "mismatched_sched_switch_tids"] : []);
  for (const { name } of bad) if (!expected.has(name)) throw new Error(`${name} is set`);
  same(bad.some(({ name }) => name === "ftrace_cpu_has_data_loss"), lost, "data loss");
});

await test("threads have their names and processes", async () => {
  const rows = await engine.rows("select tid, thread.name as name, ifnull(pid, 0) as pid from thread left join process using (upid)", { tid: 0, name: text, pid: 0 });
  const known = new Set(rows.map(({ tid, name, pid }) => `${tid} ${name} ${pid}`));
  for (const thread of report.threads) {
    if (thread.comm === undefined || thread.pid === undefined) continue;
    const wanted = `${thread.tid} ${thread.comm} ${thread.pid}`;
    if (!known.has(wanted)) throw new Error(`no thread ${wanted}`);
  }
});

await test("each thread ran as long as the report says", async () => {
  const rows = await engine.rows("select tid, sum(dur) as ns from sched join thread using (utid) where tid != 0 and dur > 0 group by tid", { tid: 0, ns: 0n });
  const ran = new Map(rows.map(({ tid, ns }) => [tid, Number(ns)]));
  const tids = new Map();
  for (const thread of report.threads) tids.set(thread.tid, (tids.get(thread.tid) ?? 0) + thread.run_ns);
  const differing = [...tids].filter(([tid, ns]) => (ran.get(tid) ?? 0) !== ns);
  // At either end, and at a gap, a thread was on each CPU whose slice the engine cannot bound.
  const edges = report.cpus.length * (2 + 2 * (report.records.gaps?.length ?? 0));
  if (differing.length > edges) throw new Error(`${differing.length} differ: ${differing.slice(0, 5)}`);
});

await test("slices end as they did", async () => {
  const count = async (states) => one(`select cast(count(*) as int) as n from sched join thread using (utid) where tid != 0 and end_state in (${states})`);
  const sum = (name) => report.threads.reduce((all, thread) => all + (thread.ends[name] ?? 0), 0);
  same(await count("'X', 'Z'"), sum("exited"), "exits");
  const forced = sum("preempted") + sum("expired") + sum("outranked");
  if (forced > 0 && await count("'R+'") === 0) throw new Error("nothing was preempted");
  if (sum("blocked") > 0) same(await count("'S', 'D', 'I'") >= sum("blocked"), true, "blocked slices are there");
});

await test("runnable threads show as such until they run", async () => {
  const waited = await one("select cast(ifnull(sum(dur), 0) as int) as n from thread_state where state in ('R', 'R+') and dur > 0");
  const expected = report.threads.reduce((all, thread) => all + thread.wait_ns, 0);
  // The engine does not know of waits that began before the trace, nor bound those that outlast it.
  if (expected > 0 && Math.abs(waited - expected) > expected * 0.1) throw new Error(`${waited} ns, not about ${expected}`);
});

await test("user threads have tracks with the report's times", async () => {
  if (report.user_threads.length === 0) return;
  const rows = await engine.rows(`select process.pid as pid, track.name as track, slice.name as state, sum(slice.dur) as ns from slice
    join process_track track on slice.track_id = track.id join process using (upid) where slice.dur > 0 group by 1, 2, 3`,
  { pid: 0, track: text, state: text, ns: 0n });
  const told = new Map(rows.map(({ pid, track, state, ns }) => [`${pid} ${track.replace(/ \([^()]*\)$/, "")} ${state}`, Number(ns)]));
  const expected = new Map();
  for (const user of report.user_threads) {
    for (const state of ["running", "preempted", "blocking", "queued", "hostage", "parked", "unknown"]) {
      const key = `${user.pid} ${user.name ?? `0x${user.id.toString(16)}`} ${state}`;
      expected.set(key, (expected.get(key) ?? 0) + user[`${state}_ns`]);
    }
  }
  for (const [key, ns] of expected) same(told.get(key) ?? 0, ns, key);
});

console.log(`1..${number}`);
process.exitCode = failed === 0 ? 0 : 1;
