// SPDX-License-Identifier: GPL-2.0-only
// What the page says about the place under the pointer.

import { beginCut, byTimer, endCut, firstAfter, mixOff, mixOthers, mixUnknown, none, sliceEnds, states, userStates, type Lane } from "./data";
import { grouped, humanNs, percent } from "./format";
import type { Model } from "./model";

export interface Description {
  title: string;
  facts: [string, string][];
}

export function valueName(model: Model, lane: Lane, value: number): string {
  if (lane.kind === "thread") return states[value] ?? "unknown";
  if (lane.kind === "user") return userStates[value] ?? "unknown";
  if (value === mixUnknown) return "unknown";
  if (value === mixOff) return "off";
  if (value === mixOthers) return "other threads";
  return model.threadName(value);
}

export function laneName(model: Model, lane: Lane): string {
  if (lane.kind === "cpu") return `CPU ${lane.index}`;
  return lane.kind === "thread" ? model.threadName(lane.index) : model.userName(lane.index);
}

// Everything between two times, as shares.
function summary(model: Model, lane: Lane, from: number, to: number): Description {
  const { cells } = model.data.pictures;
  const shares = new Map<number, number>();
  let stretches = 0;
  for (let i = firstAfter(cells, lane, from); i < lane.last && cells.begin[i]! < to; ++i) {
    const inside = Math.min(cells.end[i]!, to) - Math.max(cells.begin[i]!, from);
    const whole = cells.end[i]! - cells.begin[i]!;
    stretches += cells.count[i]!;
    const mix = cells.mix[i]!;
    if (mix < 0) shares.set(cells.value[i]!, (shares.get(cells.value[i]!) ?? 0) + inside);
    for (let k = mix; mix >= 0 && k < mix + cells.mixUsed[i]!; ++k) {
      const ns = (cells.mixNs[k]! * inside) / whole;
      shares.set(cells.mixKey[k]!, (shares.get(cells.mixKey[k]!) ?? 0) + ns);
    }
  }
  const facts: [string, string][] = [...shares].sort((a, b) => b[1] - a[1])
    .map(([value, ns]) => [valueName(model, lane, value), percent(ns, to - from)]);
  facts.push(["from", `+${humanNs(Math.max(0, model.since(from)))}, for ${humanNs(to - from)}`]);
  return { title: `${laneName(model, lane)}: ${grouped(stretches)} stretches here`, facts };
}

// Who made this thread runnable before it ran: the sleep or block that ended just before.
function wokenBy(model: Model, lane: Lane, cell: number): [string, string] | null {
  const { cells } = model.data.pictures;
  for (let i = cell - 1; i >= Math.max(lane.first, cell - 2); --i) {
    if (cells.count[i]! > 1) return null;
    const state = states[cells.value[i]!];
    if (state === "wait") continue;
    if (state !== "sleep" && state !== "block") return null;
    return ["woken by", waker(model, i)];
  }
  return null;
}

function waker(model: Model, cell: number): string {
  const { cells } = model.data.pictures;
  const other = cells.other[cell]!;
  if ((cells.flags[cell]! & byTimer) !== 0) {
    return other === none ? "the timer interrupt" : `the timer interrupt, over ${model.threadName(other)}`;
  }
  return other === none ? "an interrupt on an idle CPU, or not known" : model.threadName(other);
}

function cuts(flags: number): [string, string][] {
  const out: [string, string][] = [];
  if ((flags & beginCut) !== 0) out.push(["began", "before what was recorded"]);
  if ((flags & endCut) !== 0) out.push(["ended", "after what was recorded"]);
  return out;
}

function slice(model: Model, lane: Lane, cell: number): Description {
  const { cells } = model.data.pictures;
  const thread = lane.kind === "cpu" ? cells.value[cell]! : lane.index;
  const own = model.threadLanes.get(thread);
  const begin = cells.begin[cell]!, length = cells.end[cell]! - begin;
  const facts: [string, string][] = [["ran", `${humanNs(length)} on CPU ${cells.cpu[cell]!}`]];
  if (cells.nominal[cell]! > 0) facts.push(["nominal slice", humanNs(cells.nominal[cell]!)]);
  const by = cells.by[cell]!;
  if ((cells.flags[cell]! & endCut) === 0) {
    facts.push(["ended", (sliceEnds[cells.reason[cell]!] ?? "unknown") + (by === none ? "" : `, by ${model.threadName(by)}`)]);
    const next = cells.other[cell]!;
    facts.push(["then came", next === none ? "idle, or not known" : model.threadName(next)]);
  }
  if (own !== undefined) {
    const at = lane.kind === "thread" ? cell : firstAfter(cells, own, begin);
    const woken = at < own.last && cells.count[at]! === 1 ? wokenBy(model, own, at) : null;
    if (woken !== null) facts.push(woken);
  }
  facts.push(...cuts(cells.flags[cell]!), ["at", `+${humanNs(Math.max(0, model.since(begin)))}`]);
  return { title: model.threadName(thread), facts };
}

function off(model: Model, lane: Lane, cell: number): Description {
  const { cells } = model.data.pictures;
  const begin = cells.begin[cell]!;
  const state = states[cells.value[cell]!] ?? "unknown";
  const words: Record<string, string> = { wait: "waited for a CPU", sleep: "slept", block: "was blocked (uninterruptible)", unknown: "unknown" };
  const facts: [string, string][] = [[words[state] ?? state, humanNs(cells.end[cell]! - begin)]];
  const [call, futex] = model.data.pictures.whys[cells.why[cell]!] ?? [""];
  if (call !== "") facts.push(["in", call]);
  if (futex !== undefined) {
    const owner = cells.by[cell]!;
    facts.push(["for", futex === "several" ? "several futexes" : `futex ${futex}`],
      ["had by", owner === none ? "not known" : model.threadName(owner)]);
  }
  if ((state === "sleep" || state === "block") && (cells.flags[cell]! & endCut) === 0) facts.push(["woken by", waker(model, cell)]);
  if (state === "wait") {
    const previous = cell - 1;
    if (previous >= lane.first && cells.count[previous]! === 1 && states[cells.value[previous]!] === "run") {
      const by = cells.by[previous]!;
      facts.push(["after", `its slice was ${sliceEnds[cells.reason[previous]!] ?? "unknown"}${by === none ? "" : ` by ${model.threadName(by)}`}`]);
    } else {
      const woken = wokenBy(model, lane, cell);
      if (woken !== null) facts.push(woken);
    }
  }
  facts.push(...cuts(cells.flags[cell]!), ["at", `+${humanNs(Math.max(0, model.since(begin)))}`]);
  return { title: laneName(model, lane), facts };
}

function user(model: Model, lane: Lane, cell: number): Description {
  const { cells } = model.data.pictures;
  const state = userStates[cells.value[cell]!] ?? "unknown";
  const words: Record<string, string> = {
    running: "ran", preempted: "preempted with its carrier", blocking: "blocked its carrier in a system call",
    queued: "ready, behind others", hostage: "hostage: ready, every carrier off the CPU", parked: "parked in its runtime",
  };
  const facts: [string, string][] = [[words[state] ?? state, humanNs(cells.end[cell]! - cells.begin[cell]!)]];
  if (cells.other[cell]! !== none) facts.push(["carrier", model.threadName(cells.other[cell]!)]);
  facts.push(["at", `+${humanNs(Math.max(0, model.since(cells.begin[cell]!)))}`]);
  return { title: model.userName(lane.index), facts };
}

export function describeCell(model: Model, lane: Lane, cell: number): Description {
  const { cells } = model.data.pictures;
  if (cells.count[cell]! > 1) return summary(model, lane, cells.begin[cell]!, cells.end[cell]!);
  if (lane.kind === "user") return user(model, lane, cell);
  if (lane.kind === "cpu") {
    const value = cells.value[cell]!;
    if (value === mixUnknown || value === mixOff) {
      return { title: laneName(model, lane), facts: [[valueName(model, lane, value), humanNs(cells.end[cell]! - cells.begin[cell]!)]] };
    }
    return slice(model, lane, cell);
  }
  return states[cells.value[cell]!] === "run" ? slice(model, lane, cell) : off(model, lane, cell);
}

// The cell at a time, or the shares around it when one pixel (from, to) holds several.
export function describeAt(model: Model, lane: Lane, from: number, to: number): { text: Description | null; cell: number | null } {
  const { cells } = model.data.pictures;
  const cell = firstAfter(cells, lane, from);
  if (cell >= lane.last || cells.begin[cell]! >= to) {
    const text = lane.kind === "cpu" ? { title: laneName(model, lane), facts: [["idle", ""] as [string, string]] } : null;
    return { text, cell: null };
  }
  const single = cells.end[cell]! >= to || cell + 1 >= lane.last || cells.begin[cell + 1]! >= to;
  if (single) return { text: describeCell(model, lane, cell), cell };
  return { text: summary(model, lane, from, to), cell };
}
