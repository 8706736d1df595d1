// SPDX-License-Identifier: GPL-2.0-only
// Unpacks what report/embed.cc packs: columns of LEB128 numbers, deflated, base64.

import type { Lab, Report } from "./types";

export const states = ["run", "wait", "sleep", "block", "unknown"] as const;
export const userStates = ["running", "preempted", "blocking", "queued", "hostage", "parked", "unknown"] as const;
export const sliceEnds = ["blocked", "yielded", "expired", "preempted", "outranked", "migrated", "throttled",
  "stopped", "exited", "unknown"] as const;

export const mixUnknown = 0xfffffffe;
export const mixOff = 0xfffffffc;
export const mixOthers = 0xfffffffd;
export const none = -1;
export const beginCut = 1, endCut = 2, byTimer = 4;

export type LaneKind = "cpu" | "thread" | "user";

// Cells of a lane are [first, last) of the columns.
export interface Lane {
  kind: LaneKind;
  index: number;
  first: number;
  last: number;
}

// Times are ns since base_ns of the capture.
export interface Cells {
  begin: Float64Array;
  end: Float64Array;
  value: Float64Array;
  other: Int32Array;
  by: Int32Array;
  nominal: Float64Array;
  count: Float64Array;
  cpu: Uint16Array;
  reason: Uint8Array;
  flags: Uint8Array;
  why: Uint32Array;     // index into Pictures.whys
  mix: Int32Array;      // where its shares begin, -1 for a cell that is one stretch
  mixKey: Float64Array;
  mixNs: Float64Array;
  mixUsed: Uint8Array;
}

// What a thread slept in: a system call or "", and the futex it slept for, if it did.
export type Why = [call: string, futex?: string];

export interface Pictures {
  baseNs: number;
  resolutionNs: number;
  stretches: number;
  lanes: Lane[];
  whys: Why[];
  cells: Cells;
}

interface Packed {
  base_ns: number;
  resolution_ns: number;
  stretches: number;
  cells: number;
  lanes: [LaneKind, number, number][];
  whys: Why[];
  columns: Record<string, number>;
  data: string;
}

class Column {
  constructor(private readonly bytes: Uint8Array, private at: number) {}

  next(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new Error("the timeline's data ends too early");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
}

function json<T>(id: string): T | null {
  const text = document.getElementById(id)?.textContent;
  return text ? (JSON.parse(text) as T) : null;
}

// The times of a cgroup's threads together soon are more than a double holds (104 days): where there are such
// numbers, they are kept as text, and so are ids and addresses, and on a machine up for so long the times of a path. Inside of JSON's strings no quote stands before a colon
// but behind a backslash, so only a key's own number matches.
function readReport(): Report | null {
  const report = json<Report>("report");
  const text = document.getElementById("report")?.textContent ?? "";
  const long = /"(\w+)":(\d{16,})/g;
  if (report === null || !long.test(text)) return report;
  const exact = JSON.parse(text.replace(long, '"$1":"$2"')) as Report;
  if (exact.cgroups !== undefined) report.cgroups = exact.cgroups;
  if (exact.critical_path !== undefined) report.critical_path = exact.critical_path;
  exact.futexes?.forEach(({ word }, i) => { if (word !== undefined) report.futexes![i]!.word = word; });
  exact.threads.forEach(({ cgroup_id }, i) => { if (cgroup_id !== undefined) report.threads[i]!.cgroup_id = cgroup_id; });
  return report;
}

async function inflate(text: string): Promise<Uint8Array> {
  const packed = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function unpack(packed: Packed, bytes: Uint8Array): Pictures {
  const columns: Record<string, Column> = {};
  let at = 0;
  for (const [name, size] of Object.entries(packed.columns)) {
    columns[name] = new Column(bytes, at);
    at += size;
  }
  const next = (name: string): number => {
    const column = columns[name];
    if (column === undefined) throw new Error(`the timeline's data has no column ${name}`);
    return column.next();
  };
  const n = packed.cells;
  const cells: Cells = {
    begin: new Float64Array(n), end: new Float64Array(n), value: new Float64Array(n),
    other: new Int32Array(n).fill(none), by: new Int32Array(n).fill(none), nominal: new Float64Array(n),
    count: new Float64Array(n), cpu: new Uint16Array(n), reason: new Uint8Array(n), flags: new Uint8Array(n),
    why: new Uint32Array(n),
    mix: new Int32Array(n).fill(none), mixUsed: new Uint8Array(n),
    mixKey: new Float64Array(0), mixNs: new Float64Array(0),
  };
  const keys: number[] = [], times: number[] = [];
  const lanes: Lane[] = [];
  let cell = 0;
  for (const [kind, index, count] of packed.lanes) {
    lanes.push({ kind, index, first: cell, last: cell + count });
    let time = 0;
    for (let i = 0; i < count; ++i, ++cell) {
      time += next("gap");
      cells.begin[cell] = time;
      time += next("length");
      cells.end[cell] = time;
      cells.count[cell] = next("count");
      if (cells.count[cell]! > 1) {
        const used = next("used");
        cells.mix[cell] = keys.length;
        cells.mixUsed[cell] = used;
        for (let k = 0; k < used; ++k) {
          keys.push(next("share"));
          times.push(next("ns"));
        }
        continue;
      }
      cells.value[cell] = next("value");
      cells.other[cell] = next("other") - 1;
      cells.by[cell] = next("by") - 1;
      cells.nominal[cell] = next("nominal");
      cells.cpu[cell] = next("cpu");
      cells.reason[cell] = next("reason");
      cells.flags[cell] = next("flags");
      cells.why[cell] = next("why");
    }
  }
  cells.mixKey = Float64Array.from(keys);
  cells.mixNs = Float64Array.from(times);
  return { baseNs: packed.base_ns, resolutionNs: packed.resolution_ns, stretches: packed.stretches, lanes, whys: packed.whys, cells };
}

export interface Data {
  report: Report;
  pictures: Pictures;
  lab: Lab | null;
}

export async function load(): Promise<Data> {
  const report = readReport();
  const packed = json<Packed>("pictures");
  if (report === null || packed === null) throw new Error("this page holds no report");
  return { report, pictures: unpack(packed, await inflate(packed.data)), lab: json<Lab>("lab") };
}

// First cell of the lane that ends after `time`.
export function firstAfter(cells: Cells, lane: Lane, time: number): number {
  let low = lane.first, high = lane.last;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (cells.end[middle]! <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}
