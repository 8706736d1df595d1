// SPDX-License-Identifier: GPL-2.0-only
// The tables below the timeline.

import { ThreadTable } from "./cgroups";
import { futexName, grouped, humanNs } from "./format";
import type { Model } from "./model";
import { count, ns, SortedTable, type Column } from "./sorted";
import type { AgainstNominal, CpuReport, FutexOwner, FutexReport, PolicyReport, ThreadReport, UserReport } from "./types";

function threadColumns(model: Model, choose: (index: number) => void): Column<ThreadReport>[] {
  const most = (thread: ThreadReport): string | undefined => {
    const [best] = Object.entries(thread.ends).sort((a, b) => b[1] - a[1]);
    return best !== undefined && best[1] > 0 ? best[0] : undefined;
  };
  return [
    { key: "name", title: "Thread", kind: "text", value: (row) => model.threadName(row.index), always: true, choose: (row) => () => choose(row.index) },
    { key: "pid", title: "pid", kind: "text", value: (row) => row.pid },
    { key: "ns_tid", title: "Tid in ns", kind: "text", value: (row) => row.namespace?.tid, hint: "as its own pid namespace sees it" },
    { key: "policy", title: "Policy", kind: "text", value: (row) => row.policy && `${row.policy}${row.nice ? ` ${row.nice > 0 ? "+" : ""}${row.nice}` : ""}` },
    { ...ns<ThreadReport>("run_ns", "Run"), always: true },
    { key: "share", title: "Run %", kind: "share", value: (row) => (row.wall_ns > 0 ? row.run_ns / row.wall_ns : 0), hint: "of its wall time" },
    { ...ns<ThreadReport>("wait_ns", "Wait", "runnable, not running"), always: true },
    ns("sleep_ns", "Sleep", "interruptible"),
    ns("block_ns", "Block", "uninterruptible"),
    ns("unknown_ns", "Unknown", "records are missing"),
    ns("irq_ns", "Hard irq", "part of its run time, at least"),
    ns("softirq_ns", "Soft irq", "part of its run time, at least"),
    { ...count<ThreadReport>("slices", "Slices"), always: true },
    ns("wait_p50_ns", "Wait p50 ≤", "upper bound"),
    ns("wait_p99_ns", "Wait p99 ≤", "upper bound"),
    ns("wait_max_ns", "Wait max"),
    { key: "ends", title: "Ends most", kind: "text", value: most, hint: "the commonest reason why its slices ended" },
    count("migrations", "Moves", "slices that began on another CPU"),
  ];
}

// The futexes, by who had them: what is left of a futex is where that is not known.
interface Had {
  futex: FutexReport;
  owner: number | null;  // index
  waits: number;
  ns: number;
  times: FutexOwner | null;
}

function futexRows(futexes: FutexReport[]): Had[] {
  return futexes.flatMap((futex) => {
    const rows: Had[] = futex.owners.map((owner) => ({ futex, owner: owner.index, waits: owner.waits, ns: owner.ns, times: owner }));
    const sum = (key: "waits" | "ns"): number => futex.owners.reduce((all, owner) => all + owner[key], 0);
    const left: Had = { futex, owner: null, waits: futex.waits - sum("waits"), ns: futex.ns - sum("ns"), times: null };
    return left.waits > 0 ? [...rows, left] : rows;
  });
}

function futexColumns(model: Model, choose: (index: number) => void): Column<Had>[] {
  const of = (key: "run_ns" | "wait_ns" | "unknown_ns") => (row: Had): number | undefined => row.times?.[key];
  return [
    { key: "futex", title: "Futex", kind: "text", value: (row) => futexName(row.futex.word), hint: "its address in the process", always: true },
    { key: "pid", title: "pid", kind: "text", value: (row) => row.futex.pid },
    { key: "owner", title: "Had by", kind: "text", value: (row) => (row.owner === null ? "unknown" : model.threadName(row.owner)), always: true,
      choose: ({ owner }) => (owner !== null && model.threads.has(owner) ? () => choose(owner) : null) },
    { key: "waits", title: "Sleeps", kind: "count", value: (row) => row.waits, hint: "for it, while this thread had it", always: true },
    { key: "ns", title: "Time", kind: "ns", value: (row) => row.ns, hint: "of these sleeps", always: true },
    { key: "owner_run_ns", title: "It ran", kind: "ns", value: of("run_ns"), hint: "what its owner did meanwhile" },
    { key: "owner_wait_ns", title: "Waited", kind: "ns", value: of("wait_ns"), hint: "its owner, for a CPU, meanwhile" },
    { key: "owner_off_ns", title: "Slept", kind: "ns", value: ({ times }) => (times === null ? undefined : times.sleep_ns + times.block_ns), hint: "its owner, meanwhile" },
    { key: "owner_unknown_ns", title: "Unknown", kind: "ns", value: of("unknown_ns"), hint: "what its owner did is not known" },
    { key: "max_ns", title: "Longest", kind: "ns", value: (row) => row.futex.max_ns, hint: "sleep for this futex, whoever had it" },
  ];
}

function showFutexes(model: Model, box: HTMLElement, note: HTMLElement, choose: (index: number) => void): SortedTable<Had> {
  const futexes = model.report.futexes ?? [];
  const table = new SortedTable<Had>(box, "Futexes", futexColumns(model, choose), futexRows(futexes), "ns",
    ({ futex, owner }) => model.matchesFutex(futex, owner), (row) => row.owner !== null && row.owner === model.selection.thread);
  const listed = futexes.reduce((all, { ns }) => all + ns, 0), all = model.report.futex_ns ?? 0;
  note.textContent = `Threads slept ${humanNs(all)} for futexes${listed < all ? `, ${humanNs(listed)} of it for the ${grouped(futexes.length)} listed` : ""}.`;
  return table;
}

function policyColumns(): Column<PolicyReport>[] {
  const sum = (counts: number[]): number => counts.reduce((all, count) => all + count, 0);
  const of = (part: (slices: AgainstNominal) => number) => ({ against_nominal: slices }: PolicyReport): number | undefined => slices && part(slices);
  return [
    { key: "policy", title: "Policy", kind: "text", value: (row) => row.policy, always: true },
    count("threads", "Threads", "that had a slice with it"),
    { ...count<PolicyReport>("slices", "Whole slices"), always: true },
    { ...ns<PolicyReport>("ns", "Time", "of them"), always: true },
    ns("nominal_min_ns", "Nominal, least", "what the scheduler granted"),
    ns("nominal_max_ns", "most"),
    { key: "longer", title: "≥ nominal", kind: "share", value: of(({ all }) => sum(all.slice(4)) / Math.max(1, sum(all))), hint: "as long as the nominal slice or longer, of those that have one" },
    { key: "expired", title: "Expired", kind: "count", value: of(({ expired }) => sum(expired)), hint: "of those that have a nominal slice" },
  ];
}

export interface TableBoxes {
  threads: HTMLElement;
  policies: HTMLElement;
  policiesSection: HTMLElement;
  cpus: HTMLElement;
  cpusSection: HTMLElement;
  users: HTMLElement;
  usersSection: HTMLElement;
  futexes: HTMLElement;
  futexesNote: HTMLElement;
  futexesSection: HTMLElement;
}

// The table of threads can be asked to show a cgroup.
export function showTables(model: Model, boxes: TableBoxes, reveal: (thread: number | null, user: number | null) => void): ThreadTable {
  const { report } = model;
  const tables: { draw(): void; mark(): void }[] = [];
  const choose = (index: number): void => {
    model.select({ thread: index });
    reveal(index, null);
  };
  const threads = new ThreadTable(model, boxes.threads, threadColumns(model, choose));
  tables.push(threads);
  model.on(["grouping"], () => threads.draw());
  boxes.policiesSection.hidden = report.policies.length === 0;
  new SortedTable<PolicyReport>(boxes.policies, "Policies", policyColumns(), report.policies, "ns", () => true, () => false).draw();
  boxes.cpusSection.hidden = report.cpus.length === 0;
  new SortedTable<CpuReport>(boxes.cpus, "CPUs", [
    { key: "cpu", title: "CPU", kind: "text", value: (row) => row.cpu, always: true },
    { ...ns<CpuReport>("run_ns", "Run"), always: true },
    { key: "share", title: "Run %", kind: "share", value: (row) => row.run_ns / Math.max(1, row.run_ns + row.idle_ns + row.unknown_ns), always: true },
    { ...ns<CpuReport>("idle_ns", "Idle"), always: true },
    ns("off_ns", "Off", "it was taken down"),
    ns("unknown_ns", "Unknown", "records are missing"),
    ns("irq_ns", "Hard irq", "part of run and idle, at least"),
    ns("softirq_ns", "Soft irq", "part of run and idle, at least"),
    ns("idle_irq_ns", "Idle hard irq", "of that, in idle time"),
    ns("idle_softirq_ns", "Idle soft irq", "of that, in idle time"),
    ns("interrupts_unknown_ns", "Irq unknown", "time of which interrupts are not known"),
    { ...count<CpuReport>("switches", "Switches"), always: true },
  ], report.cpus, "cpu", () => true, () => false).draw();
  boxes.usersSection.hidden = report.user_threads.length === 0;
  if (report.user_threads.length > 0) {
    tables.push(new SortedTable<UserReport>(boxes.users, "User threads", [
      { key: "name", title: "User thread", kind: "text", value: (row) => model.userName(row.index), always: true,
        choose: (row) => () => {
          model.select({ user: row.index });
          reveal(null, row.index);
        } },
      { key: "runtime", title: "Runtime", kind: "text", value: (row) => row.runtime },
      { key: "pid", title: "pid", kind: "text", value: (row) => row.pid },
      { ...ns<UserReport>("running_ns", "Running"), always: true },
      ns("preempted_ns", "Preempted", "its carrier waited for a CPU"),
      ns("blocking_ns", "Blocking", "its carrier slept in a call that it made"),
      ns("queued_ns", "Queued", "ready, behind others that run"),
      { ...ns<UserReport>("hostage_ns", "Hostage", "ready, with every carrier off the CPU"), always: true },
      ns("parked_ns", "Parked", "waiting inside its runtime"),
      ns("unknown_ns", "Unknown", "records are missing"),
      ns("wall_ns", "Wall"),
      count("switches", "Switches"),
    ], report.user_threads, "hostage_ns", (row) => model.matchesUser(row), (row) => row.index === model.selection.user));
  }
  boxes.futexesSection.hidden = !report.futexes?.length;
  if (report.futexes?.length) tables.push(showFutexes(model, boxes.futexes, boxes.futexesNote, choose));
  const draw = (): void => tables.forEach((table) => table.draw());
  model.on(["filter"], draw);
  model.on(["selection"], () => tables.forEach((table) => table.mark()));
  draw();
  return threads;
}
