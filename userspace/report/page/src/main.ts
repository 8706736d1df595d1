// SPDX-License-Identifier: GPL-2.0-only
import { load } from "./data";
import { Details } from "./details";
import { byId, fill, h, replace } from "./dom";
import { grouped, shortNs } from "./format";
import { listenToKeys } from "./keys";
import { Model } from "./model";
import { Overview } from "./overview";
import { showClaims, showFindings, showHeader, showStory } from "./panels";
import { showPath } from "./path";
import { showTables } from "./tables";
import { Timeline } from "./timeline";
import { states, userStates } from "./data";
import type { Finding } from "./types";

function showTip(timeline: Timeline): void {
  const tip = byId("tip");
  timeline.onHover = (text, pointer) => {
    tip.hidden = text === null;
    if (text === null) return;
    replace(tip, h("strong", {}, text.title), h("dl", { class: "facts" },
      ...text.facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(pointer.x + 14, innerWidth - width - 8))}px`;
    tip.style.top = `${pointer.y + 18 + height > innerHeight ? Math.max(4, pointer.y - height - 12) : pointer.y + 18}px`;
  };
}

function showLegend(box: HTMLElement, users: boolean): void {
  const entry = (name: string, color: string, text: string): HTMLElement => {
    const swatch = h("i", { class: `swatch ${name === "unknown" ? "hatched" : ""}` });
    swatch.style.background = `var(--${color})`;
    return h("span", {}, swatch, text);
  };
  fill(box, h("b", {}, "Threads"), ...states.map((name) => entry(name, name, name)));
  if (users) fill(box, h("b", {}, "User threads"), ...userStates.filter((name) => name !== "unknown").map((name) => entry(name, name, name)));
  fill(box, h("span", {}, h("i", { class: "corner" }), "did not end by itself"));
}

function showGrouping(model: Model, button: HTMLElement, note: HTMLElement): void {
  const missed = model.report.cgroup_moves_missed ?? 0;
  const show = (): void => {
    button.setAttribute("aria-pressed", String(model.byCgroup));
    note.hidden = !model.byCgroup || missed === 0;
  };
  button.hidden = model.report.cgroups === undefined;
  button.addEventListener("click", () => model.group(!model.byCgroup));
  note.textContent = `${missed === 1 ? "1 thread" : `${grouped(missed)} threads`} went from one cgroup to another unseen: ` +
    "until it showed, their time counts for the one that they had left.";
  model.on(["grouping"], show);
  show();
}

async function start(): Promise<void> {
  const model = new Model(await load());
  showHeader(model, byId("title"), byId("facts"));
  showStory(model, byId("happened"), byId("trust"));

  const canvas = byId("canvas") as HTMLCanvasElement;
  const timeline = new Timeline(model, byId("scroller"), byId("spacer"), canvas);
  new Overview(model, byId("overview") as HTMLCanvasElement);
  showTip(timeline);
  showLegend(byId("legend"), model.report.user_threads.length > 0);

  const jump = (from: number, to: number): void => {
    const room = Math.max(to - from, 1000);
    model.show(from - room, to + room);
    byId("timeline").scrollIntoView({ block: "start" });
  };
  const reveal = (thread: number | null, user: number | null): void => {
    timeline.reveal(thread, user);
    byId("timeline").scrollIntoView({ block: "nearest" });
  };
  const search = byId("search") as HTMLInputElement;
  const threadTable = showTables(model, { threads: byId("threads"), policies: byId("policies"), policiesSection: byId("policies-section"), cpus: byId("cpus"), cpusSection: byId("cpus-section"), users: byId("users"), usersSection: byId("users-section"),
    futexes: byId("futexes"), futexesNote: byId("futexes-note"), futexesSection: byId("futexes-section") }, reveal);
  new Details(model, byId("details"), jump, (thread) => timeline.reveal(thread, null), (cgroup) => {
    search.value = "";
    model.setFilter("");
    threadTable.reveal(cgroup);
  });
  showGrouping(model, byId("by-cgroup"), byId("moves-missed"));
  showFindings(model, byId("findings-section"), byId("findings"), (finding: Finding) => {
    model.select({ thread: finding.thread_index ?? null, user: finding.user_thread_index ?? null });
    reveal(finding.thread_index ?? null, finding.user_thread_index ?? null);
    if (finding.at_ns !== undefined) jump(model.time(finding.at_ns), model.time(finding.at_ns + (finding.for_ns ?? 0)));
    else byId("timeline").scrollIntoView({ block: "start" });
  });
  showClaims(model, byId("claims-section"), byId("claims"));
  showPath(model, { section: byId("path-section"), title: byId("path-title"), note: byId("path-note"), threads: byId("path-threads"),
    behindPart: byId("path-behind-part"), behind: byId("path-behind"), segmentsTitle: byId("path-segments-title"), segments: byId("path-segments") }, {
    choose: (thread) => {
      model.select({ thread });
      reveal(thread, null);
    }, jump });
  listenToKeys(model, timeline);

  search.addEventListener("input", () => model.setFilter(search.value));
  const note = byId("note");
  const say = (): void => {
    const { resolutionNs } = model.data.pictures;
    const parts = [resolutionNs === 0 ? "" : `drawn at ${shortNs(resolutionNs)}`,
      timeline.rows.hidden > 0 ? `${timeline.rows.hidden} lanes hidden` : ""];
    note.textContent = parts.filter(Boolean).join(" · ");
    byId("idle").hidden = !timeline.rows.showIdle && !model.report.threads.some((thread) => thread.slices === 0 && model.threadLanes.has(thread.index));
  };
  model.on(["filter", "selection"], say);
  byId("idle").addEventListener("click", (event) => {
    timeline.rows.showIdle = !timeline.rows.showIdle;
    (event.currentTarget as HTMLElement).setAttribute("aria-pressed", String(timeline.rows.showIdle));
    timeline.rebuild();
    say();
  });
  say();
  const status = byId("status");
  model.on(["selection"], () => {
    const { thread, user } = model.selection;
    status.textContent = thread !== null ? `Selected ${model.threadName(thread)}` : user !== null ? `Selected ${model.userName(user)}` : "";
  });
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
    matchMedia(query).addEventListener("change", () => model.themeChanged());
  }
  document.documentElement.dataset["ready"] = "true";
}

start().catch((error: unknown) => {
  const failed = byId("failed");
  failed.hidden = false;
  failed.textContent = `This report cannot be shown: ${error instanceof Error ? error.message : String(error)}. ` +
    "It needs Chrome 103, Firefox 113, Safari 16.4 or newer.";
  throw error;
});
