// SPDX-License-Identifier: GPL-2.0-only
// The rows of the timeline: CPUs, then the threads of each process with its user threads below.

import type { Lane } from "./data";
import { grouped, humanNs } from "./format";
import type { Model } from "./model";
import type { ThreadReport, UserReport } from "./types";

export interface Row {
  key: string;
  label: string;
  note: string;
  height: number;
  indent: number;
  lane: Lane | null;     // null: the header of a group
  group: string;
  thread: ThreadReport | null;
  user: UserReport | null;
  y: number;
}

const headHeight = 26, cpuHeight = 26, threadHeight = 22, userHeight = 18;
// A process that has more user threads than this begins with them folded.
const manyUsers = 64;

interface Process {
  key: string;
  label: string;
  note: string;
  threads: ThreadReport[];
  users: UserReport[];
  run: number;
  last: boolean;
}

function processes(model: Model, idle: boolean): Process[] {
  const byPid = new Map<number, Process>();
  const process = (pid: number): Process => {
    let found = byPid.get(pid);
    if (found === undefined) {
      found = { key: `p${pid}`, label: `process ${pid}`, note: "", threads: [], users: [], run: 0, last: false };
      byPid.set(pid, found);
    }
    return found;
  };
  const kernel: Process = { key: "kernel", label: "Kernel threads", note: "", threads: [], users: [], run: 0, last: true };
  const nameless: Process = { key: "nameless", label: "Threads of unknown process", note: "", threads: [], users: [], run: 0, last: true };
  for (const thread of model.report.threads) {
    if (!idle && thread.slices === 0 && thread.run_ns === 0) continue;
    if (!model.threadLanes.has(thread.index)) continue;
    const to = thread.kernel_thread ? kernel : thread.pid === undefined ? nameless : process(thread.pid);
    to.threads.push(thread);
    to.run += thread.run_ns;
    if (thread.tid === thread.pid && thread.comm !== undefined) to.label = `${thread.comm} (pid ${thread.pid})`;
  }
  for (const user of model.report.user_threads) if (model.userLanes.has(user.index)) process(user.pid).users.push(user);
  const single: Process = { key: "single", label: "Processes with one thread", note: "", threads: [], users: [], run: 0, last: false };
  const all: Process[] = [];
  for (const one of byPid.values()) {
    if (one.threads.length <= 1 && one.users.length === 0) {
      single.threads.push(...one.threads);
      single.run += one.run;
    } else {
      all.push(one);
    }
  }
  for (const more of [single, kernel, nameless]) if (more.threads.length > 0) all.push(more);
  // Whoever has user threads was told of, and so is what the capture is about.
  return all.sort((a, b) => Number(a.last) - Number(b.last) ||
    Number(b.users.length > 0) - Number(a.users.length > 0) || b.run - a.run);
}

export class Rows {
  rows: Row[] = [];
  height = 0;
  hidden = 0;      // lanes that the filter or "idle" leaves out
  showIdle = false;
  private readonly folded = new Map<string, boolean>();

  constructor(private readonly model: Model) {
    this.build();
  }

  toggle(row: Row): void {
    this.folded.set(row.group, !this.isFolded(row.group));
    this.build();
  }

  reveal(thread: number | null, user: number | null): Row | null {
    const find = (): Row | undefined => this.rows.find((row) => row.lane !== null &&
      ((thread !== null && row.thread?.index === thread) || (user !== null && row.user?.index === user)));
    const found = find();
    if (found !== undefined) return found;
    const pid = thread !== null ? this.model.threads.get(thread)?.pid : this.model.users.get(user ?? -1)?.pid;
    if (pid === undefined) return null;
    for (const key of [`p${pid}`, `p${pid}u`, "single", "kernel"]) this.folded.set(key, false);
    this.build();
    return find() ?? null;
  }

  private isFolded(key: string): boolean {
    return this.folded.get(key) ?? key === "kernel";
  }

  private head(key: string, label: string, note: string, indent = 0): boolean {
    this.rows.push({ key: `h${key}`, label, note, height: headHeight, indent, lane: null, group: key, thread: null, user: null, y: 0 });
    return this.model.filter !== "" || !this.isFolded(key);
  }

  build(): void {
    this.rows = [];
    const model = this.model;
    let shown = 0;
    if (model.cpuLanes.size > 0 && this.head("cpus", "CPUs", grouped(model.cpuLanes.size))) {
      for (const lane of [...model.cpuLanes.values()].sort((a, b) => a.index - b.index)) {
        const cpu = model.cpus.get(lane.index);
        const whole = cpu === undefined ? 0 : cpu.run_ns + cpu.idle_ns + cpu.unknown_ns;
        const note = cpu === undefined || whole === 0 ? "" : `${Math.round((100 * cpu.run_ns) / whole)} %`;
        this.rows.push({ key: `c${lane.index}`, label: `CPU ${lane.index}`, note, height: cpuHeight, indent: 0, lane, group: "cpus", thread: null, user: null, y: 0 });
      }
    }
    for (const process of processes(model, this.showIdle)) shown += this.process(process);
    this.hidden = model.threadLanes.size + model.userLanes.size - shown;
    let y = 0;
    for (const row of this.rows) {
      row.y = y;
      y += row.height;
    }
    this.height = y;
  }

  private process(process: Process): number {
    const threads = process.threads.filter((thread) => this.model.matchesThread(thread));
    const users = process.users.filter((user) => this.model.matchesUser(user));
    if (threads.length + users.length === 0) return 0;
    if (!this.folded.has(`${process.key}u`)) this.folded.set(`${process.key}u`, process.users.length > manyUsers);
    if (!this.head(process.key, process.label, `${grouped(threads.length)} thr`)) return threads.length + users.length;
    for (const thread of threads) {
      const lane = this.model.threadLanes.get(thread.index)!;
      this.rows.push({ key: `t${thread.index}`, label: this.model.threadName(thread.index), note: humanNs(thread.run_ns), height: threadHeight,
        indent: 1, lane, group: process.key, thread, user: null, y: 0 });
    }
    if (users.length > 0 && this.head(`${process.key}u`, "user threads", grouped(users.length), 1)) {
      for (const user of users) {
        const lane = this.model.userLanes.get(user.index)!;
        this.rows.push({ key: `u${user.index}`, label: this.model.userName(user.index), note: humanNs(user.running_ns), height: userHeight,
          indent: 2, lane, group: `${process.key}u`, thread: null, user, y: 0 });
      }
    }
    return threads.length + users.length;
  }
}
