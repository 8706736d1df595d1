// SPDX-License-Identifier: GPL-2.0-only
// The panel beside the timeline: what is selected, in numbers.

import { histogram, quartersOfNominal, sum } from "./charts";
import { byTimer, endCut, none, sliceEnds, states, userStates, type Lane } from "./data";
import { describeCell } from "./describe";
import { fill, h, replace, shareBar } from "./dom";
import { exactNs, futexName, grouped, humanNs, nameOf, percent, plural, signedNs } from "./format";
import { cgroupKey, type Model } from "./model";
import { readTheme, type Theme } from "./theme";
import type { AgainstNominal, Eevdf, Lag, Peer, ThreadReport, UserReport } from "./types";

// A row of a ranked table: what, and its numbers; the bar is its share of the whole.
interface Ranked {
  name: string | Node;
  note?: string | Node;
  share?: number;
  numbers: (string | Node)[];
}

const firstRanks = 8;
const wakers: Record<string, string> = {
  thread: "woken by thread", timer: "woken by timer", interrupt: "woken by interrupt", unknown: "end not known",
};

const time = (ns: number): HTMLElement => h("span", { title: exactNs(ns) }, humanNs(ns));

type Fact = [string, string | Node];

// Interrupts are part of the run time; what the tracepoints do not see makes them "at least".
function interruptFacts(thread: ThreadReport): Fact[] {
  const { irq_ns: hard, softirq_ns: soft, interrupts_unknown_ns: unknown } = thread;
  if (hard === undefined || soft === undefined) return [];
  const facts: Fact[] = [
    ["hard interrupts", h("span", { title: exactNs(hard) }, `at least ${humanNs(hard)} in ${grouped(thread.irqs ?? 0)}`)],
    ["softirqs", h("span", { title: exactNs(soft) }, `at least ${humanNs(soft)} in ${grouped(thread.softirqs ?? 0)}`)],
  ];
  if (unknown) facts.push(["interrupts not known", h("span", { title: exactNs(unknown) }, `of ${humanNs(unknown)} that it ran`)]);
  return facts;
}

const range = (least: number, most: number): HTMLElement =>
  h("span", { title: `${exactNs(least)} … ${exactNs(most)}` }, least === most ? signedNs(least) : `${signedNs(least)} … ${signedNs(most)}`);

function lagFacts(name: string, lag: Lag | undefined): Fact[] {
  return lag === undefined ? [] : [[`${name} p99 ≤`, time(lag.p99_ns)], [name, range(lag.least_ns, lag.most_ns)]];
}

// Where a thread stood as it took a CPU and left it; CFS has but the first of them.
function eevdfFacts(eevdf: Eevdf): Fact[] {
  const facts: Fact[] = [["virtual", time(eevdf.vruntime_ns)]];
  const { slice_min_ns: least, slice_max_ns: most } = eevdf;
  if (least !== undefined && most !== undefined) {
    facts.push(["slice", eevdf.custom_slice ? h("span", {}, range(least, most), " own") : range(least, most)]);
  }
  facts.push(...lagFacts("lag in", eevdf.lag_in), ...lagFacts("lag out", eevdf.lag_out));
  const counts: [string, number | undefined, string][] = [["past deadline", eevdf.past_deadline, "slice"], ["before", eevdf.before_deadline, "slice"],
    ["protected", eevdf.left_protected, "time"], ["delayed", eevdf.delayed, "time"]];
  for (const [name, count, what] of counts) if (count) facts.push([name, plural(count, what)]);
  return facts;
}

export class Details {
  constructor(private readonly model: Model, private readonly box: HTMLElement,
    private readonly jump: (from: number, to: number) => void, private readonly reveal: (thread: number) => void,
    private readonly showCgroup: (key: string) => void) {
    model.on(["selection", "theme"], () => this.show());
    this.show();
  }

  private show(): void {
    const { selection, threads, users } = this.model;
    const theme = readTheme();
    const thread = selection.thread === null ? undefined : threads.get(selection.thread);
    const user = selection.user === null ? undefined : users.get(selection.user);
    replace(this.box);
    if (thread !== undefined) this.thread(thread, theme);
    else if (user !== undefined) this.user(user, theme);
    else this.everything(theme);
  }

  private head(title: string, note: string): void {
    fill(this.box, h("div", { class: "details-head" }, h("h3", {}, title),
      h("button", { type: "button", class: "plain", "aria-label": "Clear selection", click: () => this.model.select({}) }, "×")),
    h("p", { class: "faint" }, note));
    const { lane, cell } = this.model.selection;
    if (lane === null || cell === null) return;
    const text = describeCell(this.model, lane, cell);
    fill(this.box, h("dl", { class: "facts picked" }, ...text.facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
  }

  private times(parts: { name: string; ns: number; color: string }[], wall: number): void {
    fill(this.box, shareBar(parts, wall), h("dl", { class: "facts" },
      ...parts.filter((part) => part.ns > 0).flatMap((part) => {
        const swatch = h("i", { class: "swatch" });
        swatch.style.background = part.color;
        return [h("dt", {}, swatch, part.name), h("dd", {}, humanNs(part.ns), h("span", { class: "faint" }, ` ${percent(part.ns, wall)}`))];
      }),
      h("dt", {}, "wall"), h("dd", {}, humanNs(wall))));
  }

  private thread(thread: ThreadReport, theme: Theme): void {
    const note = [thread.pid === undefined ? "" : `pid ${thread.pid}`, thread.policy ?? "",
      thread.nice ? `nice ${thread.nice}` : "", thread.kernel_thread ? "kernel thread" : "", thread.exited ? "exited" : ""].filter(Boolean).join(" · ");
    this.head(this.model.threadName(thread.index), note);
    this.times(states.map((name, i) => ({ name, ns: thread[`${name}_ns`], color: theme.state[i]! })), thread.wall_ns);
    const facts: Fact[] = [];
    if (this.model.report.cgroups !== undefined) facts.push(["cgroup", this.cgroup(cgroupKey(thread.cgroup_id))]);
    if (thread.namespace !== undefined) facts.push(["in its namespace", `tid ${thread.namespace.tid}, pid ${thread.namespace.pid}`]);
    facts.push(["slices", grouped(thread.slices)]);
    if (thread.nominal_slice_ns) facts.push(["nominal slice", humanNs(thread.nominal_slice_ns)]);
    if (thread.slice_max_ns > 0) facts.push(["longest slice", this.link(thread.slice_max_ns, thread.slice_max_at_ns)]);
    if (thread.wait_max_ns > 0) {
      facts.push(["half its waits", `≤ ${humanNs(thread.wait_p50_ns)}`], ["99 % of them", `≤ ${humanNs(thread.wait_p99_ns)}`],
        ["longest wait", this.link(thread.wait_max_ns, thread.wait_max_at_ns)]);
    }
    facts.push(["woken", `${grouped(thread.wakeups)} times`]);
    if (thread.migrations > 0) facts.push(["changed CPU", `${grouped(thread.migrations)} times`]);
    facts.push(...interruptFacts(thread));
    this.facts(facts);
    this.eevdf(thread.eevdf);
    this.ends(thread, theme);
    this.offCpu(thread);
    this.sleptIn(thread);
    this.peers("Waited behind", "for", thread.waited_behind, thread.wait_ns, thread.waited_behind_unknown_ns);
    this.peers("Preempted by", "then waited", thread.preempted_by);
    this.peers("Woken by", "after", thread.woken_by);
    this.hadFutexes(thread);
    fill(this.box, histogram("Slice length", thread.slice_hist, theme.state[0]!), histogram("Wait length", thread.wait_hist, theme.state[1]!));
    this.againstNominal(thread.against_nominal ? [thread.against_nominal] : [], theme);
  }

  private facts(facts: Fact[]): void {
    fill(this.box, h("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
  }

  private eevdf(eevdf: Eevdf | undefined): void {
    if (eevdf === undefined) return;
    fill(this.box, h("h4", { title: "by the scheduler's virtual time" }, "EEVDF"));
    this.facts(eevdfFacts(eevdf));
  }

  // What the scheduler grants says most of the slices that its tick ended.
  private againstNominal(of: AgainstNominal[], theme: Theme): void {
    if (of.length === 0) return;
    fill(this.box, histogram("Slices, of the nominal one", sum(of.map(({ all }) => all)), theme.state[0]!, quartersOfNominal));
    const expired = sum(of.map(({ expired }) => expired));
    if (expired.some((count) => count > 0)) fill(this.box, histogram("Of them expired", expired, theme.accent, quartersOfNominal));
  }

  // The time as a button that shows its place.
  private link(ns: number, at: number | undefined): string | Node {
    if (at === undefined) return humanNs(ns);
    const begin = this.model.time(at);
    return h("button", { type: "button", class: "link", click: () => this.jump(begin, begin + ns) }, humanNs(ns));
  }

  private ends(thread: ThreadReport, theme: Theme): void {
    const all = sliceEnds.reduce((total, name) => total + (thread.ends[name] ?? 0), 0);
    if (all === 0) return;
    fill(this.box, h("h4", {}, "Why its slices ended"));
    const list = h("dl", { class: "facts bars" });
    for (const name of [...sliceEnds].sort((a, b) => (thread.ends[b] ?? 0) - (thread.ends[a] ?? 0))) {
      const count = thread.ends[name] ?? 0;
      if (count === 0) continue;
      fill(list, h("dt", {}, name), h("dd", {}, grouped(count), h("span", { class: "faint" }, ` ${percent(count, all)}`),
        shareBar([{ name, ns: count, color: theme.accent }], all)));
    }
    fill(this.box, list);
  }

  private cgroup(key: string): HTMLElement {
    return h("button", { type: "button", class: "link", click: () => this.showCgroup(key) }, this.model.cgroupName(key));
  }

  // The most of it; the rest at a click.
  private ranked(title: string, heads: string[], rows: Ranked[], color: string): void {
    if (rows.length === 0) return;
    const lines = rows.map(({ name, note, share, numbers }, i) => h("tr", { hidden: i >= firstRanks, tabindex: i === firstRanks ? "-1" : null },
      h("td", {}, name, note === undefined ? null : h("div", { class: "faint" }, note),
        share === undefined ? null : shareBar([{ name: percent(share, 1), ns: share, color }], 1)),
      ...numbers.map((number) => h("td", { class: "number" }, number))));
    fill(this.box, h("table", { class: "small" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, title),
      ...heads.map((head) => h("th", { scope: "col", class: "number" }, head)))), h("tbody", {}, ...lines)));
    if (rows.length <= firstRanks) return;
    const more = h("button", { type: "button", class: "link", click: () => {
      for (const line of lines) line.hidden = false;
      lines[firstRanks]!.focus();
      more.remove();
    } }, `and ${grouped(rows.length - firstRanks)} more`);
    fill(this.box, more);
  }

  private peers(title: string, what: string, peers: Peer[], whole?: number, unknown = 0): void {
    const rows: Ranked[] = peers.map((peer) => {
      const name = nameOf(peer);
      const known = peer.index !== undefined && this.model.threads.has(peer.index);
      return {
        name: known ? h("button", { type: "button", class: "link", click: () => this.model.select({ thread: peer.index! }) }, name) : name,
        numbers: [grouped(peer.count), time(peer.ns)], ...(whole ? { share: peer.ns / whole } : {}),
      };
    });
    if (unknown > 0) rows.push({ name: "not known", numbers: ["", time(unknown)], ...(whole ? { share: unknown / whole } : {}) });
    this.ranked(title, ["times", what], rows, readTheme().state[1]!);
  }

  private offCpu(thread: ThreadReport): void {
    const whole = thread.sleep_ns + thread.block_ns;
    const lane = this.model.threadLanes.get(thread.index);
    const cells = this.cellsOf(thread);
    const noCall = this.model.report.syscalls_known ? "no system call" : "call not known";
    this.ranked("Off the CPU in", ["times", "time", "longest"], thread.off_cpu.map((row) => {
      const cell = row.others ? undefined : cells.get(`${row.state} ${row.waker} ${row.max_ns} ${row.syscall ?? ""}`);
      return {
        name: row.others ? "other kinds" : row.syscall ?? noCall,
        ...(row.others ? {} : { note: `${row.state}, ${wakers[row.waker ?? ""] ?? wakers["unknown"]!}` }),
        share: row.ns / Math.max(1, whole),
        numbers: [grouped(row.count), time(row.ns), cell === undefined || lane === undefined ? time(row.max_ns)
          : h("button", { type: "button", class: "link", title: exactNs(row.max_ns), click: () => this.showCell(thread, lane, cell) }, humanNs(row.max_ns))],
      };
    }), readTheme().accent);
  }

  // Where it slept: the innermost function first, that of the kernel when there is no other.
  private sleptIn(thread: ThreadReport): void {
    const whole = thread.sleep_ns + thread.block_ns;
    const stacks = this.model.report.stacks;
    const frames = (stack?: number) => stack === undefined ? undefined : stacks?.stacks[stack]?.map((frame) => stacks.frames[frame]!);
    this.ranked("Slept in", ["times", "time", "longest"], (thread.off_cpu_stacks ?? []).map((row) => {
      const kernel = frames(row.kernel) ?? [`unknown kernel stack (${row.kernel_missing})`];
      const user = frames(row.user) ?? (row.user_missing === undefined ? [] : [`unknown (${row.user_missing})`]);
      const [name, ...callers] = row.user === undefined ? [...kernel, ...user] : user;
      return {
        name: row.others ? "other places" : name!,
        ...(row.others ? {} : { note: h("span", { title: [...kernel.map((frame) => `${frame} [k]`), ...user].join("\n") }, callers.join(" < ") || "in the kernel") }),
        share: row.ns / Math.max(1, whole),
        numbers: [grouped(row.count), time(row.ns), time(row.max_ns)],
      };
    }), readTheme().accent);
  }

  // Its sleeps and blocks that are drawn as they were, by kind and length; the first of those that are alike.
  private cellsOf(thread: ThreadReport): Map<string, number> {
    const found = new Map<string, number>();
    const lane = this.model.threadLanes.get(thread.index);
    const { cells, whys } = this.model.data.pictures;
    for (let i = lane?.last ?? 0; lane !== undefined && --i >= lane.first;) {
      const state = states[cells.value[i]!];
      if (cells.count[i] !== 1 || (state !== "sleep" && state !== "block")) continue;
      const flags = cells.flags[i]!;
      const waker = (flags & endCut) !== 0 ? "unknown" : (flags & byTimer) !== 0 ? "timer" : cells.other[i] === none ? "interrupt" : "thread";
      found.set(`${state} ${waker} ${cells.end[i]! - cells.begin[i]!} ${whys[cells.why[i]!]?.[0] ?? ""}`, i);
    }
    return found;
  }

  private showCell(thread: ThreadReport, lane: Lane, cell: number): void {
    const { cells } = this.model.data.pictures;
    this.model.select({ thread: thread.index, lane, cell });
    this.jump(cells.begin[cell]!, cells.end[cell]!);
    this.reveal(thread.index);
  }

  private hadFutexes(thread: ThreadReport): void {
    const rows = (this.model.report.futexes ?? []).flatMap((futex) => futex.owners.filter(({ index }) => index === thread.index).map((owner) => ({
      name: futexName(futex.word),
      note: `meanwhile it ran ${humanNs(owner.run_ns)}, waited ${humanNs(owner.wait_ns)}, slept ${humanNs(owner.sleep_ns + owner.block_ns)}` +
        (owner.unknown_ns > 0 ? `, unknown ${humanNs(owner.unknown_ns)}` : ""),
      ns: owner.ns,
      numbers: [grouped(owner.waits), time(owner.ns)],
    }))).sort((a, b) => b.ns - a.ns);
    this.ranked("Had while others slept for it", ["sleeps", "time"], rows, readTheme().accent);
  }

  private user(user: UserReport, theme: Theme): void {
    this.head(this.model.userName(user.index), [`pid ${user.pid}`, user.runtime ?? "", `${user.level} by its runtime`].filter(Boolean).join(" · "));
    this.times(userStates.map((name, i) => ({ name, ns: user[`${name}_ns`], color: theme.user[i]! })), user.wall_ns);
    fill(this.box, h("dl", { class: "facts" }, h("dt", {}, "switched to"), h("dd", {}, `${grouped(user.switches)} times`)));
  }

  private everything(theme: Theme): void {
    const { threads } = this.model.report;
    const { lane, cell } = this.model.selection;
    fill(this.box, h("div", { class: "details-head" }, h("h3", {}, "All threads")));
    if (lane !== null && cell !== null) {
      const text = describeCell(this.model, lane, cell);
      fill(this.box, h("dl", { class: "facts picked" }, h("dt", {}, text.title), h("dd", {}),
        ...text.facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
    } else {
      fill(this.box, h("p", { class: "faint" }, "Click a stretch, a name or a row of a table to see one thread."));
    }
    fill(this.box, histogram("Slice length", sum(threads.map((thread) => thread.slice_hist)), theme.state[0]!),
      histogram("Wait length", sum(threads.map((thread) => thread.wait_hist)), theme.state[1]!));
    this.againstNominal(this.model.report.policies.flatMap((policy) => policy.against_nominal ?? []), theme);
  }
}
