// SPDX-License-Identifier: GPL-2.0-only
// Tables that sort by any column; each number keeps its exact value in its title.

import { fill, h, replace } from "./dom";
import { grouped, humanNs, percent } from "./format";
import type { Model } from "./model";
import type { CpuReport, ThreadReport, UserReport } from "./types";

type Kind = "text" | "ns" | "count" | "share";

interface Column<T> {
  key: string;
  title: string;
  kind: Kind;
  value: (row: T) => string | number | undefined;
  hint?: string;
  always?: boolean;  // stays when every value is 0
}

const firstRows = 100;

class SortedTable<T> {
  private sort: string;
  private down = true;
  private all = false;

  constructor(private readonly box: HTMLElement, private readonly caption: string, private readonly columns: Column<T>[],
    private readonly rows: T[], sort: string, private readonly matches: (row: T) => boolean,
    private readonly selected: (row: T) => boolean, private readonly choose: ((row: T) => void) | null) {
    this.sort = sort;
    this.down = columns.find(({ key }) => key === sort)?.kind !== "text";
    // A column in which nothing ever happened says so once, by its absence.
    this.columns = columns.filter((column) => column.always || rows.some((row) => {
      const value = column.value(row);
      return value !== undefined && value !== "" && value !== 0;
    }));
    this.draw();
  }

  draw(): void {
    const column = this.columns.find(({ key }) => key === this.sort) ?? this.columns[0]!;
    const rows = this.rows.filter(this.matches);
    const direction = this.down ? -1 : 1;
    rows.sort((a, b) => {
      const x = column.value(a), y = column.value(b);
      if (x === undefined || y === undefined) return Number(x === undefined) - Number(y === undefined);
      return typeof x === "number" && typeof y === "number" ? (x - y) * direction : String(x).localeCompare(String(y)) * direction;
    });
    const shown = this.all ? rows : rows.slice(0, firstRows);
    const table = h("table", {}, h("caption", {}, this.caption), h("thead", {}, this.head()));
    const body = h("tbody");
    for (const row of shown) body.append(this.row(row));
    table.append(body);
    replace(this.box, h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": this.caption }, table));
    if (shown.length < rows.length) {
      fill(this.box, h("p", {}, h("button", { type: "button", click: () => { this.all = true; this.draw(); } },
        `Show all ${grouped(rows.length)}`), h("span", { class: "faint" }, ` ${firstRows} are shown`)));
    } else if (rows.length === 0) {
      fill(this.box, h("p", { class: "faint" }, "Nothing matches the filter."));
    }
  }

  private head(): HTMLElement {
    const row = h("tr");
    for (const { key, title, kind, hint } of this.columns) {
      const active = key === this.sort;
      row.append(h("th", { scope: "col", class: kind === "text" ? "" : "number", "aria-sort": active ? (this.down ? "descending" : "ascending") : null },
        h("button", { type: "button", class: "plain", title: hint ?? null, "data-key": key, click: () => this.sortBy(key, kind) },
          title, h("span", { class: "arrow", "aria-hidden": "true" }, active ? (this.down ? " ↓" : " ↑") : ""))));
    }
    return row;
  }

  private sortBy(key: string, kind: Kind): void {
    this.down = key === this.sort ? !this.down : kind !== "text";
    this.sort = key;
    this.draw();
    this.box.querySelector<HTMLElement>(`[data-key="${key}"]`)?.focus();
  }

  private row(row: T): HTMLElement {
    const line = h("tr", { class: this.selected(row) ? "selected" : "" });
    this.columns.forEach(({ key, kind, value }, i) => {
      const is = value(row);
      const text = is === undefined ? "" : kind === "ns" ? (is === 0 ? "–" : humanNs(Number(is)))
        : kind === "count" ? (is === 0 ? "–" : grouped(Number(is))) : kind === "share" ? percent(Number(is), 1) : String(is);
      const cell = h("td", { class: kind === "text" ? "" : "number", "data-key": key,
        title: kind === "ns" && is !== undefined ? `${grouped(Number(is))} ns` : null, "data-value": typeof is === "number" ? is : null });
      const choose = this.choose;
      if (i === 0 && choose !== null) cell.append(h("button", { type: "button", class: "link", click: () => choose(row) }, text));
      else cell.textContent = text;
      line.append(cell);
    });
    return line;
  }
}

const ns = <T>(key: keyof T & string, title: string, hint?: string): Column<T> =>
  ({ key, title, kind: "ns", value: (row) => row[key] as number, ...(hint === undefined ? {} : { hint }) });
const count = <T>(key: keyof T & string, title: string, hint?: string): Column<T> =>
  ({ key, title, kind: "count", value: (row) => row[key] as number, ...(hint === undefined ? {} : { hint }) });

function threadColumns(model: Model): Column<ThreadReport>[] {
  const most = (thread: ThreadReport): string | undefined => {
    const [best] = Object.entries(thread.ends).sort((a, b) => b[1] - a[1]);
    return best !== undefined && best[1] > 0 ? best[0] : undefined;
  };
  return [
    { key: "name", title: "Thread", kind: "text", value: (row) => model.threadName(row.index), always: true },
    { key: "pid", title: "pid", kind: "text", value: (row) => row.pid },
    { key: "policy", title: "Policy", kind: "text", value: (row) => row.policy && `${row.policy}${row.nice ? ` ${row.nice > 0 ? "+" : ""}${row.nice}` : ""}` },
    { ...ns<ThreadReport>("run_ns", "Run"), always: true },
    { key: "share", title: "Run %", kind: "share", value: (row) => (row.wall_ns > 0 ? row.run_ns / row.wall_ns : 0), hint: "of its wall time" },
    { ...ns<ThreadReport>("wait_ns", "Wait", "runnable, not running"), always: true },
    ns("sleep_ns", "Sleep", "interruptible"),
    ns("block_ns", "Block", "uninterruptible"),
    ns("unknown_ns", "Unknown", "records are missing"),
    { ...count<ThreadReport>("slices", "Slices"), always: true },
    ns("wait_p50_ns", "Wait p50 ≤", "upper bound"),
    ns("wait_p99_ns", "Wait p99 ≤", "upper bound"),
    ns("wait_max_ns", "Wait max"),
    { key: "ends", title: "Ends most", kind: "text", value: most, hint: "the commonest reason why its slices ended" },
    count("migrations", "Moves", "slices that began on another CPU"),
  ];
}

export function showTables(model: Model, boxes: { threads: HTMLElement; cpus: HTMLElement; users: HTMLElement; usersSection: HTMLElement },
  reveal: (thread: number | null, user: number | null) => void): void {
  const { report } = model;
  const tables: { draw(): void }[] = [];
  tables.push(new SortedTable<ThreadReport>(boxes.threads, "Threads", threadColumns(model), report.threads, "run_ns",
    (row) => model.matchesThread(row), (row) => row.index === model.selection.thread, (row) => {
      model.select({ thread: row.index });
      reveal(row.index, null);
    }));
  new SortedTable<CpuReport>(boxes.cpus, "CPUs", [
    { key: "cpu", title: "CPU", kind: "text", value: (row) => row.cpu, always: true },
    { ...ns<CpuReport>("run_ns", "Run"), always: true },
    { key: "share", title: "Run %", kind: "share", value: (row) => row.run_ns / Math.max(1, row.run_ns + row.idle_ns + row.unknown_ns), always: true },
    { ...ns<CpuReport>("idle_ns", "Idle"), always: true },
    ns("unknown_ns", "Unknown", "records are missing"),
    { ...count<CpuReport>("switches", "Switches"), always: true },
  ], report.cpus, "cpu", () => true, () => false, null);
  boxes.usersSection.hidden = report.user_threads.length === 0;
  if (report.user_threads.length > 0) {
    tables.push(new SortedTable<UserReport>(boxes.users, "User threads", [
      { key: "name", title: "User thread", kind: "text", value: (row) => model.userName(row.index), always: true },
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
    ], report.user_threads, "hostage_ns", (row) => model.matchesUser(row), (row) => row.index === model.selection.user, (row) => {
      model.select({ user: row.index });
      reveal(null, row.index);
    }));
  }
  model.on(["filter", "selection"], () => tables.forEach((table) => table.draw()));
}
