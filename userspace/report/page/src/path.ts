// SPDX-License-Identifier: GPL-2.0-only
// What the time of one thread depended on, in the words of `report --critical-path`.

import { fill, h } from "./dom";
import { grouped, humanNs, nameOf, plural } from "./format";
import type { Model } from "./model";
import { ns, SortedTable, type Column } from "./sorted";
import type { CriticalPath, Exact, PathSegment, PathThread } from "./types";

export interface PathBoxes {
  section: HTMLElement;
  title: HTMLElement;
  note: HTMLElement;
  threads: HTMLElement;
  behindPart: HTMLElement;
  behind: HTMLElement;
  segmentsTitle: HTMLElement;
  segments: HTMLElement;
}

interface Places {
  choose(index: number): void;
  jump(from: number, to: number): void;
}

interface Named {
  index?: number;
  name?: string;
}

interface Behind extends Named {
  ns: number;
}

interface Piece extends Named {
  index: number;
  begin: number;  // on the timeline
  since: number;
  ns: number;
  depth: number;
  what: string;
}

// Above the table of all threads: what took most, until more is asked for.
const firstOfPath = 10;

const between = (from: Exact, to: Exact): number => Number(BigInt(to) - BigInt(from));

class Path {
  private readonly names = new Map<number, string>();
  private readonly whole: number;

  constructor(private readonly model: Model, private readonly path: CriticalPath, private readonly places: Places) {
    this.whole = between(path.from_ns, path.to_ns);
    for (const peer of path.waited_behind) if (peer.index !== undefined) this.names.set(peer.index, nameOf(peer));
    for (const row of path.threads) this.names.set(row.index, nameOf(row));
  }

  // Threads that were not recorded for themselves are on a path, too, though not in the report.
  name(index: number): string {
    return this.model.threads.has(index) ? this.model.threadName(index) : this.names.get(index) ?? "unknown";
  }

  tell(note: HTMLElement): void {
    const { path, whole } = this;
    const left = path.segments_left_out;
    fill(note, `What its ${humanNs(whole)} from ${this.since(path.from_ns)} to ${this.since(path.to_ns)} of the reported span depended on: ${plural(path.threads.length, "thread")}. `,
      h("span", { class: path.adds_up ? "" : "bad" }, `${path.adds_up ? "Adds up" : "DOES NOT ADD UP"} in ${plural(path.segments.length + left, "segment")}: ${grouped(whole)} ns.`),
      left > 0 && ` The ${grouped(path.segments.length)} longest segments are listed; ${grouped(left)} more, ${humanNs(path.left_out_ns)} together, are left out of that list alone.`);
  }

  threads(box: HTMLElement): SortedTable<PathThread> {
    const by = (cause: keyof PathThread["sleep_by"]) => (row: PathThread): number => row.sleep_by[cause];
    return this.table<PathThread>(box, "Whose time it was", [
      this.who(),
      { ...ns<PathThread>("ns", "Time"), always: true },
      { key: "share", title: "Share", kind: "share", value: (row) => row.ns / Math.max(1, this.whole), hint: "of the path" },
      ns("run_ns", "Ran"),
      ns("wait_ns", "Waited", "runnable, not running"),
      { key: "timer", title: "Timer", kind: "ns", value: by("timer"), hint: "slept until the timer ended it" },
      { key: "interrupt", title: "Interrupt", kind: "ns", value: by("interrupt"), hint: "slept until an interrupt ended it" },
      { key: "slept", title: "Slept", kind: "ns", value: by("unknown"), hint: "what ended it is not known" },
      ns("block_ns", "Blocked", "uninterruptible"),
      ns("unknown_ns", "Unknown", "records are missing"),
    ], this.path.threads);
  }

  behind(box: HTMLElement): SortedTable<Behind> {
    const { waited_behind: peers, waited_behind_unknown_ns: unknown } = this.path;
    const rows: Behind[] = peers.map((peer) => ({ name: nameOf(peer), ns: peer.ns, ...(peer.index === undefined ? {} : { index: peer.index }) }));
    if (unknown > 0) rows.push({ name: "unknown", ns: unknown });
    return this.table<Behind>(box, "Whom the path waited behind", [this.who(), { ...ns<Behind>("ns", "For"), always: true }], rows);
  }

  segments(box: HTMLElement): SortedTable<Piece> {
    return this.table<Piece>(box, "Segments", [
      { key: "at", title: "At", kind: "at", value: (row) => row.since, hint: "since the start of the report", always: true, choose: (row) => () => this.show(row) },
      { ...ns<Piece>("ns", "For"), always: true },
      this.who(),
      { key: "depth", title: "Depth", kind: "count", value: (row) => row.depth, hint: "how many sleepers were behind it" },
      { key: "what", title: "What", kind: "text", value: (row) => row.what, always: true },
    ], this.path.segments.map((segment) => this.piece(segment)));
  }

  private table<T extends Named>(box: HTMLElement, caption: string, columns: Column<T>[], rows: T[]): SortedTable<T> {
    return new SortedTable<T>(box, caption, columns, rows, "ns", (row) => this.matches(row),
      ({ index }) => index !== undefined && index === this.model.selection.thread, firstOfPath);
  }

  private who<T extends Named>(): Column<T> {
    const known = (index: number | undefined): index is number => index !== undefined && this.model.threads.has(index);
    return { key: "thread", title: "Thread", kind: "text", value: (row) => this.nameIn(row), always: true,
      choose: ({ index }) => (known(index) ? () => this.places.choose(index) : null) };
  }

  private nameIn({ index, name }: Named): string {
    return name ?? (index === undefined ? "unknown" : this.name(index));
  }

  private matches(row: Named): boolean {
    const thread = row.index === undefined ? undefined : this.model.threads.get(row.index);
    return thread !== undefined ? this.model.matchesThread(thread) : this.nameIn(row).toLowerCase().includes(this.model.filter);
  }

  private piece(segment: PathSegment): Piece {
    const begin = this.model.time(Number(segment.begin_ns));
    return { index: segment.index, name: this.name(segment.index), begin, since: Math.max(0, this.model.since(begin)),
      ns: between(segment.begin_ns, segment.end_ns), depth: segment.depth, what: this.what(segment) };
  }

  private what({ state, cause, cpu, behind }: PathSegment): string {
    if (cause === "unknown") return `${state}, unknown what for`;
    if (cause !== undefined) return `${state}, ended by ${cause === "timer" ? "the" : "an"} ${cause}`;
    if (state === "run") return `run on CPU ${cpu}`;
    if (state !== "wait") return state;
    const where = cpu === undefined ? state : `wait for CPU ${cpu}`;
    if (behind === undefined) return `${where}, unknown behind whom`;
    return `${where}, ${humanNs(behind.ns)} of it ${behind.index === undefined ? "idle" : `behind ${this.name(behind.index)}`}`;
  }

  private show({ index, begin, ns: length }: Piece): void {
    if (this.model.threads.has(index)) this.places.choose(index);
    this.places.jump(begin, begin + length);
  }

  private since(at: Exact): string {
    return `+${humanNs(Math.max(0, this.model.since(this.model.time(Number(at)))))}`;
  }
}

export function showPath(model: Model, boxes: PathBoxes, places: Places): void {
  const found = model.report.critical_path;
  boxes.section.hidden = found === undefined;
  if (found === undefined) return;
  const path = new Path(model, found, places);
  boxes.title.textContent = `Critical path of ${path.name(found.index)}`;
  path.tell(boxes.note);
  boxes.behindPart.hidden = found.waited_behind.length === 0 && found.waited_behind_unknown_ns === 0;
  boxes.segmentsTitle.textContent = found.segments_left_out > 0 ? `The ${plural(found.segments.length, "longest segment")}` : "Segments";
  const tables: { draw(): void; mark(): void }[] = [path.threads(boxes.threads), path.behind(boxes.behind), path.segments(boxes.segments)];
  const draw = (): void => tables.forEach((table) => table.draw());
  model.on(["filter"], draw);
  model.on(["selection"], () => tables.forEach((table) => table.mark()));
  draw();
}
