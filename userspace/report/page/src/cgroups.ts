// SPDX-License-Identifier: GPL-2.0-only
// The table of threads; by cgroup it has the rows of `report --by-cgroup`, with the threads below each.

import { fill, h } from "./dom";
import { exactNs, grouped, humanNs, percent } from "./format";
import { cgroupKey, type Model } from "./model";
import { firstRows, moreRows, SortedTable, type Column } from "./sorted";
import type { ThreadReport } from "./types";

const parts = ["run_ns", "wait_ns", "sleep_ns", "block_ns", "unknown_ns"] as const;
// In the order of `parts`. Sums over many threads may be more than a double holds.
type Times = bigint[];

interface Group {
  key: string;
  name: string;
  count: number;            // of threads that were ever in it
  threads: ThreadReport[];  // that were in it last
  times: Times;             // of all threads, while they were in it
  own: Times;               // of `threads`, wherever they were
}

const sum = (threads: ThreadReport[]): Times => {
  const times = parts.map(() => 0n);
  for (const thread of threads) parts.forEach((part, i) => { times[i]! += BigInt(thread[part]); });
  return times;
};
const less = (a: Times, b: Times): Times => a.map((ns, i) => ns - b[i]!);
const plus = (a: Times, b: Times): Times => a.map((ns, i) => ns + b[i]!);

function groupsOf(model: Model): Group[] {
  const byKey = new Map<string, Group>();
  const group = (key: string): Group => {
    let found = byKey.get(key);
    if (found === undefined) byKey.set(key, found = { key, name: model.cgroupName(key), count: 0, threads: [], times: sum([]), own: [] });
    return found;
  };
  for (const cgroup of model.report.cgroups ?? []) {
    const one = group(cgroupKey(cgroup.cgroup_id));
    one.count = cgroup.threads;
    one.times = parts.map((part) => BigInt(cgroup[part]));
  }
  for (const thread of model.report.threads) group(cgroupKey(thread.cgroup_id)).threads.push(thread);
  for (const one of byKey.values()) one.own = sum(one.threads);
  return [...byKey.values()];
}

// An id of a container as its first digits, and the end of what is still too long.
function shortPath(path: string): string {
  const letters = [...path.replace(/[0-9a-f]{32,}/g, (id) => `${id.slice(0, 12)}…`)];
  return letters.length > 60 ? `…${letters.slice(-59).join("")}` : letters.join("");
}

const share = (times: Times): number => {
  const wall = times.reduce((all, ns) => all + ns, 0n);
  return wall > 0n ? Number(times[0]!) / Number(wall) : 0;
};

export class ThreadTable extends SortedTable<ThreadReport> {
  private readonly groups: Group[];
  private readonly limits = new Map<string, number>();  // of the threads that are shown of a group

  constructor(private readonly model: Model, box: HTMLElement, columns: Column<ThreadReport>[]) {
    super(box, "Threads", columns, model.report.threads, "run_ns", (row) => model.matchesThread(row),
      (row) => row.index === model.selection.thread);
    this.groups = groupsOf(model);
  }

  // Opens a group and shows it, wherever it is.
  reveal(key: string): void {
    this.model.openCgroups.add(key);
    this.model.group(true);
    if (this.button(key) === null) {
      this.limit = this.groups.length;
      this.draw();
    }
    const button = this.button(key);
    button?.scrollIntoView({ block: "center" });
    button?.focus();
  }

  protected override fill(table: HTMLTableElement): { shown: number; of: number } {
    if (!this.model.byCgroup) return super.fill(table);
    const { filter } = this.model;
    const matching = this.groups.map((group) => ({ group, threads: filter === "" ? group.threads : group.threads.filter(this.matches) }))
      .filter(({ group, threads }) => threads.length > 0 || (filter === "" && group.count > 0));
    const value = this.groupValue();
    this.sorted(matching, ({ group }) => value(group));
    const shown = matching.slice(0, this.limit);
    table.classList.add("grouped");
    for (const { group, threads } of shown) table.append(this.body(group, threads));
    table.append(h("tfoot", {}, this.line(h("th", { scope: "row", colspan: this.lead() }, `All ${grouped(this.groups.length)} cgroups`),
      this.groups.reduce((all, { times }) => plus(all, times), sum([])))));
    return { shown: shown.length, of: matching.length };
  }

  // What the groups are sorted by: a column that says nothing of them leaves them by run time.
  private groupValue(): (group: Group) => string | number {
    const { key } = this.column();
    if (key === "name") return ({ name }) => name;
    if (key === "share") return ({ times }) => share(times);
    const part = Math.max(0, parts.findIndex((name) => name === key));
    return ({ times }) => Number(times[part]!);
  }

  private body(group: Group, threads: ThreadReport[]): HTMLElement {
    const { model } = this;
    const open = model.filter !== "" || model.openCgroups.has(group.key);
    const toggle = (): void => {
      if (!model.openCgroups.delete(group.key)) model.openCgroups.add(group.key);
      this.draw();
      this.button(group.key)?.focus();
    };
    const name = shortPath(group.name);
    const body = h("tbody", {}, this.line(h("th", { scope: "rowgroup", colspan: this.lead() },
      h("button", { type: "button", class: "plain", "data-group": group.key, "aria-expanded": String(open), title: name === group.name ? null : group.name, click: toggle },
        h("span", { class: "arrow", "aria-hidden": "true" }, open ? "▾ " : "▸ "), name),
      h("span", { class: "faint" }, ` ${grouped(group.count)} thr`)), group.times, "group"));
    if (open) this.members(body, group, threads);
    return body;
  }

  // Its threads, what is not shown of them, and what moves between cgroups make up: together the line of the group.
  private members(body: HTMLElement, group: Group, threads: ThreadReport[]): void {
    const sorted = this.sorted([...threads], this.column().value);
    const limit = this.limits.get(group.key) ?? firstRows;
    const shown = sorted.slice(0, limit);
    fill(body, ...shown.map((thread) => this.row(thread)));
    const others = group.threads.length - shown.length;
    if (others > 0) {
      const text = `${grouped(others)} other thread${others === 1 ? "" : "s"}`;
      const more = (): void => {
        this.limits.set(group.key, limit * moreRows);
        this.draw();
        this.button(group.key)?.focus();
      };
      fill(body, this.line(h("td", { colspan: this.lead() }, shown.length < sorted.length
        ? h("button", { type: "button", class: "link", click: more }, text) : text), less(group.own, sum(shown)), "rest"));
    }
    const moved = less(group.times, group.own);
    if (moved.some((ns) => ns !== 0n)) {
      fill(body, this.line(h("td", { colspan: this.lead(), title: "Threads stand in the cgroup that they were in last, with all of their time. " +
        "This is what threads that stand elsewhere spent here, less what those here spent elsewhere." }, "moved between cgroups"), moved, "rest moved"));
    }
  }

  private line(name: HTMLElement, times: Times, kind = ""): HTMLElement {
    const signed = kind.includes("moved");
    return h("tr", { class: kind }, name, ...this.columns.slice(this.lead()).map(({ key, kind: type }) => {
      const ns = times[parts.findIndex((part) => part === key)];
      const text = ns !== undefined ? amount(ns, signed) : key === "share" && !signed ? percent(share(times), 1) : "";
      return h("td", { class: type === "text" ? "" : "number", "data-key": key, title: ns === undefined ? null : exactNs(ns),
        "data-value": ns === undefined ? null : String(ns) }, text);
    }));
  }

  // Columns that the name of a group takes: the texts before its numbers.
  private lead(): number {
    return this.columns.findIndex(({ kind }) => kind !== "text");
  }

  private button(key: string): HTMLElement | null {
    return this.box.querySelector<HTMLElement>(`[data-group="${CSS.escape(key)}"]`);
  }
}

function amount(ns: bigint, signed: boolean): string {
  if (ns === 0n) return "–";
  const size = humanNs(Number(ns < 0n ? -ns : ns));
  return ns < 0n ? `−${size}` : signed ? `+${size}` : size;
}
