// SPDX-License-Identifier: GPL-2.0-only
// The panel beside the timeline: what is selected, in numbers.

import { histogram, sum } from "./charts";
import { sliceEnds, states, userStates } from "./data";
import { describeCell } from "./describe";
import { fill, h, replace, shareBar } from "./dom";
import { grouped, humanNs, percent } from "./format";
import type { Model } from "./model";
import { readTheme, type Theme } from "./theme";
import type { Peer, ThreadReport, UserReport } from "./types";

export class Details {
  constructor(private readonly model: Model, private readonly box: HTMLElement,
    private readonly jump: (from: number, to: number) => void) {
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
    const facts: [string, string | Node][] = [["slices", grouped(thread.slices)]];
    if (thread.nominal_slice_ns) facts.push(["nominal slice", humanNs(thread.nominal_slice_ns)]);
    if (thread.slice_max_ns > 0) facts.push(["longest slice", this.link(thread.slice_max_ns, thread.slice_max_at_ns)]);
    if (thread.wait_max_ns > 0) {
      facts.push(["half its waits", `≤ ${humanNs(thread.wait_p50_ns)}`], ["99 % of them", `≤ ${humanNs(thread.wait_p99_ns)}`],
        ["longest wait", this.link(thread.wait_max_ns, thread.wait_max_at_ns)]);
    }
    facts.push(["woken", `${grouped(thread.wakeups)} times`]);
    if (thread.migrations > 0) facts.push(["changed CPU", `${grouped(thread.migrations)} times`]);
    fill(this.box, h("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
    this.ends(thread, theme);
    this.peers("Preempted by", "then waited", thread.preempted_by);
    this.peers("Woken by", "after", thread.woken_by);
    fill(this.box, histogram("Slice length", thread.slice_hist, theme.state[0]!), histogram("Wait length", thread.wait_hist, theme.state[1]!));
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

  private peers(title: string, what: string, peers: Peer[]): void {
    if (peers.length === 0) return;
    const table = h("table", { class: "small" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, title),
      h("th", { scope: "col", class: "number" }, "times"), h("th", { scope: "col", class: "number" }, what))));
    const body = h("tbody");
    for (const peer of peers.slice(0, 8)) {
      const name = peer.comm === undefined ? `tid ${peer.tid}` : `${peer.comm}/${peer.tid}`;
      const known = peer.index !== undefined && this.model.threads.has(peer.index);
      fill(body, h("tr", {}, h("td", {}, known
        ? h("button", { type: "button", class: "link", click: () => this.model.select({ thread: peer.index! }) }, name) : name),
      h("td", { class: "number" }, grouped(peer.count)), h("td", { class: "number" }, humanNs(peer.ns))));
    }
    fill(table, body);
    fill(this.box, table);
    if (peers.length > 8) fill(this.box, h("p", { class: "faint" }, `and ${grouped(peers.length - 8)} more`));
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
  }
}
