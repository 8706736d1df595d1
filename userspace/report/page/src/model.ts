// SPDX-License-Identifier: GPL-2.0-only
// What the page shows and what is chosen in it; the parts listen, and never call each other.

import type { Data, Lane } from "./data";
import { futexName, nameOf } from "./format";
import type { CpuReport, Exact, FutexReport, Report, ThreadReport, UserReport } from "./types";

export interface Selection {
  thread: number | null;  // index
  user: number | null;    // index
  lane: Lane | null;      // and the cell that was clicked
  cell: number | null;
}

export type Change = "view" | "selection" | "filter" | "grouping" | "theme";

export const cgroupKey = (id: Exact | undefined): string => String(id ?? 0);

export class Model {
  readonly report: Report;
  readonly lanes: Lane[];
  readonly threads = new Map<number, ThreadReport>();
  readonly users = new Map<number, UserReport>();
  readonly cpus = new Map<number, CpuReport>();
  readonly threadLanes = new Map<number, Lane>();
  readonly cpuLanes = new Map<number, Lane>();
  readonly userLanes = new Map<number, Lane>();
  // Of the report, in ns since pictures.baseNs, as everything on the timeline.
  readonly begin: number;
  readonly end: number;
  from: number;
  to: number;
  selection: Selection = { thread: null, user: null, lane: null, cell: null };
  filter = "";
  byCgroup = false;                            // the table of threads
  readonly openCgroups = new Set<string>();    // of it, by key
  private readonly paths = new Map<string, string>();
  private readonly listeners: [Change[], () => void][] = [];

  constructor(readonly data: Data) {
    this.report = data.report;
    this.lanes = data.pictures.lanes;
    for (const thread of this.report.threads) this.threads.set(thread.index, thread);
    for (const user of this.report.user_threads) this.users.set(user.index, user);
    for (const cpu of this.report.cpus) this.cpus.set(cpu.cpu, cpu);
    for (const { cgroup_id, path } of this.report.cgroups ?? []) if (path !== undefined) this.paths.set(cgroupKey(cgroup_id), path);
    for (const lane of this.lanes) {
      const map = lane.kind === "cpu" ? this.cpuLanes : lane.kind === "thread" ? this.threadLanes : this.userLanes;
      map.set(lane.index, lane);
    }
    this.begin = this.report.capture.start_ns - (data.pictures.baseNs || this.report.capture.start_ns);
    this.end = Math.max(this.begin + 1, this.begin + this.report.capture.end_ns - this.report.capture.start_ns);
    this.from = this.begin;
    this.to = this.end;
  }

  on(changes: Change[], listener: () => void): void {
    this.listeners.push([changes, listener]);
  }

  private tell(change: Change): void {
    for (const [changes, listener] of this.listeners) if (changes.includes(change)) listener();
  }

  // From a CLOCK_MONOTONIC time of the report.
  time(ns: number): number {
    return ns - this.report.capture.start_ns + this.begin;
  }

  // A view is at least 100 ns wide and stays within the capture.
  show(from: number, to: number): void {
    const width = Math.min(Math.max(to - from, 100), this.end - this.begin);
    const begin = Math.min(Math.max(from, this.begin), this.end - width);
    if (begin === this.from && begin + width === this.to) return;
    this.from = begin;
    this.to = begin + width;
    this.tell("view");
  }

  zoom(factor: number, around = (this.from + this.to) / 2): void {
    this.show(around - (around - this.from) * factor, around + (this.to - around) * factor);
  }

  pan(share: number): void {
    const by = (this.to - this.from) * share;
    this.show(this.from + by, this.to + by);
  }

  select(selection: Partial<Selection>): void {
    this.selection = { thread: null, user: null, lane: null, cell: null, ...selection };
    this.tell("selection");
  }

  setFilter(text: string): void {
    this.filter = text.trim().toLowerCase();
    this.tell("filter");
  }

  group(byCgroup: boolean): void {
    this.byCgroup = byCgroup;
    this.tell("grouping");
  }

  // The same words as cgroup_label() of the program.
  cgroupName(key: string): string {
    return this.paths.get(key) ?? (key === "0" ? "unknown" : `unknown (id ${key})`);
  }

  themeChanged(): void {
    this.tell("theme");
  }

  threadName(index: number): string {
    const thread = this.threads.get(index);
    if (thread === undefined) return "a thread outside the report";
    return nameOf(thread);
  }

  userName(index: number): string {
    const user = this.users.get(index);
    if (user === undefined) return "a user thread outside the report";
    return user.name ?? `0x${user.id.toString(16)}`;
  }

  matchesThread(thread: ThreadReport): boolean {
    const f = this.filter;
    return f === "" || (thread.comm ?? "").toLowerCase().includes(f) || String(thread.tid) === f ||
      String(thread.pid) === f || `${thread.comm ?? "tid"}/${thread.tid}`.toLowerCase().includes(f) ||
      (this.paths.get(cgroupKey(thread.cgroup_id)) ?? "").toLowerCase().includes(f);
  }

  // By its address, its process, or who had it.
  matchesFutex(futex: FutexReport, owner: number | null): boolean {
    const f = this.filter, thread = owner === null ? undefined : this.threads.get(owner);
    return f === "" || String(futex.pid) === f || futexName(futex.word).includes(f) || (thread !== undefined && this.matchesThread(thread));
  }

  matchesUser(user: UserReport): boolean {
    const f = this.filter;
    return f === "" || this.userName(user.index).toLowerCase().includes(f) || String(user.pid) === f ||
      String(user.id) === f || (user.runtime ?? "").toLowerCase().includes(f);
  }

  // Time after the start of the report: what the axis and every "+1.2 s" say.
  since(time: number): number {
    return time - this.begin;
  }
}
