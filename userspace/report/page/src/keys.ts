// SPDX-License-Identifier: GPL-2.0-only
import { states } from "./data";
import { byId } from "./dom";
import type { Model } from "./model";
import type { Timeline } from "./timeline";

// The next or previous slice of the selected thread.
function step(model: Model, timeline: Timeline, by: 1 | -1): void {
  const { thread, lane, cell } = model.selection;
  const own = thread === null ? undefined : model.threadLanes.get(thread);
  if (thread === null || own === undefined) return;
  const { cells } = model.data.pictures;
  const middle = (model.from + model.to) / 2;
  let at: number;
  if (lane === own && cell !== null) {
    at = cell + by;
  } else {
    at = own.first;
    while (at < own.last - 1 && cells.end[at]! < middle) ++at;
  }
  while (at >= own.first && at < own.last && cells.count[at] === 1 && states[cells.value[at]!] !== "run") at += by;
  if (at < own.first || at >= own.last) return;
  model.select({ thread, lane: own, cell: at });
  if (cells.begin[at]! < model.from || cells.end[at]! > model.to) {
    const half = Math.max((model.to - model.from) / 2, (cells.end[at]! - cells.begin[at]!) * 0.75);
    const center = (cells.begin[at]! + cells.end[at]!) / 2;
    model.show(center - half, center + half);
  }
  timeline.reveal(thread, null);
}

export function listenToKeys(model: Model, timeline: Timeline): void {
  const help = byId("help") as HTMLDialogElement;
  const search = byId("search") as HTMLInputElement;
  const showSelected = (): void => {
    if (model.selection.cell !== null) timeline.showCell(model.selection.cell);
  };
  const all = (): void => model.show(model.begin, model.end);
  const actions: Record<string, () => void> = {
    w: () => model.zoom(0.7), "+": () => model.zoom(0.7), s: () => model.zoom(1 / 0.7), "-": () => model.zoom(1 / 0.7),
    a: () => model.pan(-0.2), d: () => model.pan(0.2),
    0: all, f: showSelected,
    "[": () => step(model, timeline, -1), "]": () => step(model, timeline, 1),
    g: () => {
      if (model.report.cgroups !== undefined) model.group(!model.byCgroup);
    },
    "/": () => search.focus(), "?": () => help.showModal(),
    Escape: () => model.select({}),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.target === search) {
      if (event.key !== "Escape") return;
      search.value = "";
      model.setFilter("");
      search.blur();
      return;
    }
    const action = actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
  const buttons: Record<string, () => void> = {
    "zoom-in": () => model.zoom(0.5), "zoom-out": () => model.zoom(2), "zoom-all": all, "show-help": () => help.showModal(),
    "close-help": () => help.close(),
  };
  for (const [id, action] of Object.entries(buttons)) byId(id).addEventListener("click", action);
}
