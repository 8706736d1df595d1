// SPDX-License-Identifier: GPL-2.0-only
// The timeline: one canvas the size of its window, drawn again for each view.

import { byTimer, endCut, mixOff, mixUnknown, none, sliceEnds, states, userStates, type Lane } from "./data";
import { describeAt, valueName, type Description } from "./describe";
import { humanNs, niceStep, shortNs } from "./format";
import type { Model } from "./model";
import { fitting, Painter, type Look } from "./painter";
import { Rows, type Row } from "./rows";
import { readTheme, ThreadColors, type Theme } from "./theme";

const axisHeight = 28;
const forced = new Set(["preempted", "outranked", "expired", "throttled", "migrated"]);

export interface Pointer {
  x: number;  // CSS pixels of the page
  y: number;
}

export class Timeline {
  readonly rows: Rows;
  private theme: Theme = readTheme();
  private readonly colors: ThreadColors;
  private readonly context: CanvasRenderingContext2D;
  private readonly painter: Painter;
  private pattern: CanvasPattern | null = null;
  private pending = false;
  private cursor: { x: number; y: number } | null = null;
  private band: { from: number; to: number } | null = null;
  onHover: (text: Description | null, pointer: Pointer) => void = () => {};

  constructor(private readonly model: Model, private readonly scroller: HTMLElement,
    private readonly spacer: HTMLElement, private readonly canvas: HTMLCanvasElement) {
    this.rows = new Rows(model);
    this.colors = new ThreadColors(model);
    this.context = canvas.getContext("2d")!;
    this.painter = new Painter(this.context, () => this.hatch());
    model.on(["view", "selection"], () => this.redraw());
    model.on(["filter"], () => this.rebuild());
    model.on(["theme"], () => {
      this.theme = readTheme();
      this.pattern = null;
      this.redraw();
    });
    scroller.addEventListener("scroll", () => this.redraw());
    new ResizeObserver(() => this.rebuild()).observe(scroller);
    this.listen();
    this.rebuild();
  }

  get labelWidth(): number {
    return this.canvas.clientWidth < 640 ? 118 : 210;
  }

  rebuild(): void {
    this.rows.build();
    const height = Math.min(this.rows.height + axisHeight + 2, Math.max(240, Math.round(innerHeight * 0.62)));
    this.scroller.style.height = `${height}px`;
    this.spacer.style.height = `${Math.max(this.rows.height + axisHeight, height - 2)}px`;
    this.canvas.style.height = `${this.scroller.clientHeight}px`;
    this.redraw();
  }

  reveal(thread: number | null, user: number | null): void {
    const row = this.rows.reveal(thread, user);
    this.rebuild();
    if (row === null) return;
    const top = this.scroller.scrollTop, room = this.scroller.clientHeight - axisHeight;
    if (row.y < top || row.y + row.height > top + room) this.scroller.scrollTop = row.y - room / 2;
  }

  redraw(): void {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.draw();
    });
  }

  // ---- pointer ----

  private timeAt(x: number): number {
    const width = this.canvas.clientWidth - this.labelWidth;
    return this.model.from + ((x - this.labelWidth) / width) * (this.model.to - this.model.from);
  }

  private rowAt(y: number): Row | null {
    if (y < axisHeight) return null;
    const at = y - axisHeight + this.scroller.scrollTop;
    return this.rows.rows.find((row) => at >= row.y && at < row.y + row.height) ?? null;
  }

  private place(event: MouseEvent): { x: number; y: number } {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  private listen(): void {
    const pointers = new Map<number, { x: number; y: number }>();
    let moved = false, zooming = false, anchor = 0;
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const at = this.place(event);
      pointers.set(event.pointerId, at);
      this.canvas.setPointerCapture(event.pointerId);
      moved = false;
      zooming = event.shiftKey && at.x > this.labelWidth;
      anchor = this.timeAt(at.x);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const at = this.place(event);
      const before = pointers.get(event.pointerId);
      if (before === undefined) return this.hover(at, event);
      if (pointers.size === 2) {
        const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
        const was = Math.abs(before.x - other!.x), is = Math.abs(at.x - other!.x);
        if (was > 8 && is > 8) this.model.zoom(was / is, this.timeAt((at.x + other!.x) / 2));
        moved = true;
      } else if (zooming) {
        const time = this.timeAt(at.x);
        this.band = { from: Math.min(anchor, time), to: Math.max(anchor, time) };
        moved = true;
        this.redraw();
      } else if (moved || Math.abs(at.x - before.x) > 3) {
        moved = true;
        const width = this.canvas.clientWidth - this.labelWidth;
        this.model.pan(-(at.x - before.x) / width);
        this.onHover(null, { x: 0, y: 0 });
      }
      if (moved || pointers.size === 2) pointers.set(event.pointerId, at);
    });
    const up = (event: PointerEvent): void => {
      const before = pointers.get(event.pointerId);
      pointers.delete(event.pointerId);
      if (before === undefined) return;
      if (this.band !== null) {
        const band = this.band;
        this.band = null;
        this.model.show(band.from, band.to);
        this.redraw();
      } else if (!moved && event.type === "pointerup") {
        this.click(this.place(event));
      }
    };
    this.canvas.addEventListener("pointerup", up);
    this.canvas.addEventListener("pointercancel", up);
    this.canvas.addEventListener("pointerleave", () => {
      this.cursor = null;
      this.onHover(null, { x: 0, y: 0 });
      this.redraw();
    });
    this.canvas.addEventListener("dblclick", (event) => this.fit(this.place(event)));
    this.canvas.addEventListener("wheel", (event) => {
      const at = this.place(event);
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        this.model.zoom(1.0018 ** event.deltaY, this.timeAt(Math.max(at.x, this.labelWidth)));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        this.model.pan((event.deltaX || event.deltaY) / (this.canvas.clientWidth - this.labelWidth));
      }
    }, { passive: false });
  }

  private pixel(): number {
    return (this.model.to - this.model.from) / (this.canvas.clientWidth - this.labelWidth);
  }

  private hover(at: { x: number; y: number }, event: PointerEvent): void {
    this.cursor = at;
    this.redraw();
    const row = this.rowAt(at.y);
    const pointer = { x: event.clientX, y: event.clientY };
    this.canvas.style.cursor = row !== null && (row.lane === null || at.x <= this.labelWidth) ? "pointer" : "crosshair";
    if (row?.lane && at.x > this.labelWidth) {
      const time = this.timeAt(at.x);
      this.onHover(describeAt(this.model, row.lane, time, time + this.pixel()).text, pointer);
    } else if (row?.lane) {
      this.onHover({ title: row.label, facts: [] }, pointer);
    } else {
      this.onHover(null, pointer);
    }
  }

  // What a click at this place chooses.
  private chosen(at: { x: number; y: number }): { lane: Lane; cell: number | null } | null {
    const row = this.rowAt(at.y);
    if (!row?.lane) return null;
    if (at.x <= this.labelWidth) return { lane: row.lane, cell: null };
    const time = this.timeAt(at.x);
    const { cell } = describeAt(this.model, row.lane, time, time + this.pixel());
    return { lane: row.lane, cell };
  }

  private click(at: { x: number; y: number }): void {
    const row = this.rowAt(at.y);
    if (row !== null && row.lane === null) {
      this.rows.toggle(row);
      this.rebuild();
      return;
    }
    const chosen = this.chosen(at);
    if (chosen === null) return;
    const { lane, cell } = chosen;
    const { cells } = this.model.data.pictures;
    const single = cell !== null && cells.count[cell] === 1;
    if (lane.kind === "user") this.model.select({ user: lane.index, lane, cell });
    else if (lane.kind === "thread") this.model.select({ thread: lane.index, lane, cell });
    else if (single && this.model.threads.has(cells.value[cell]!)) this.model.select({ thread: cells.value[cell]!, lane, cell });
    else this.model.select({ lane: cell === null ? null : lane, cell });
  }

  private fit(at: { x: number; y: number }): void {
    const chosen = this.chosen(at);
    if (chosen?.cell === null || chosen === null) return;
    this.showCell(chosen.cell);
  }

  showCell(cell: number): void {
    const { cells } = this.model.data.pictures;
    const width = cells.end[cell]! - cells.begin[cell]!;
    this.model.show(cells.begin[cell]! - width * 0.6, cells.end[cell]! + width * 0.6);
  }

  // ---- drawing ----

  private hatch(): CanvasPattern | string {
    if (this.pattern === null) {
      const size = 6;
      const tile = document.createElement("canvas");
      tile.width = tile.height = size;
      const context = tile.getContext("2d")!;
      context.fillStyle = this.theme.background;
      context.fillRect(0, 0, size, size);
      context.strokeStyle = this.theme.unknown;
      context.lineWidth = 1.5;
      context.beginPath();
      for (const x of [-size, 0, size]) {
        context.moveTo(x, size);
        context.lineTo(x + size, 0);
      }
      context.stroke();
      this.pattern = this.context.createPattern(tile, "repeat");
    }
    return this.pattern ?? this.theme.unknown;
  }

  private draw(): void {
    const ratio = devicePixelRatio || 1;
    const width = Math.round(this.canvas.clientWidth * ratio), height = Math.round(this.canvas.clientHeight * ratio);
    if (width === 0 || height === 0) return;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    const context = this.context;
    context.fillStyle = this.theme.background;
    context.fillRect(0, 0, width, height);
    context.textBaseline = "middle";
    const left = Math.round(this.labelWidth * ratio), top = Math.round(axisHeight * ratio);
    const ticks = this.ticks();
    this.grid(ticks, left, top, width, height);
    context.save();
    context.beginPath();
    context.rect(0, top, width, height - top);
    context.clip();
    for (const row of this.rows.rows) {
      const y = row.y - this.scroller.scrollTop + axisHeight;
      if (y + row.height < axisHeight || y > this.canvas.clientHeight) continue;
      this.row(row, Math.round(y * ratio), Math.round(row.height * ratio), left, width, ratio);
    }
    this.gaps(left, top, width, height);
    context.restore();
    this.axis(ticks, left, top, width, ratio);
    this.overlay(left, top, width, height, ratio);
  }

  private x(time: number, left: number, width: number): number {
    return left + ((time - this.model.from) / (this.model.to - this.model.from)) * (width - left);
  }

  private ticks(): { time: number; label: string }[] {
    const { from, to, begin } = this.model;
    const room = this.canvas.clientWidth - this.labelWidth;
    const step = niceStep(((to - from) / room) * 110);
    const out: { time: number; label: string }[] = [];
    const first = Math.ceil((from - begin) / step) * step;
    // Far in and late, full labels would be long and alike: then they count from the left edge.
    const relative = first / step > 10_000;
    for (let time = first; time <= to - begin; time += step) {
      out.push({ time: time + begin, label: `+${shortNs(relative ? time - first : time)}` });
    }
    if (relative && out[0] !== undefined) out[0].label = `+${(first / 1e9).toFixed(9)} s`;
    return out;
  }

  private grid(ticks: { time: number }[], left: number, top: number, width: number, height: number): void {
    this.context.fillStyle = this.theme.line;
    for (const { time } of ticks) this.context.fillRect(Math.round(this.x(time, left, width)), top, 1, height - top);
  }

  private axis(ticks: { time: number; label: string }[], left: number, top: number, width: number, ratio: number): void {
    const context = this.context;
    context.fillStyle = this.theme.raised;
    context.fillRect(0, 0, width, top);
    context.fillStyle = this.theme.line;
    context.fillRect(0, top - 1, width, 1);
    context.fillRect(left - 1, 0, 1, context.canvas.height);
    context.font = `${11 * ratio}px system-ui, sans-serif`;
    context.fillStyle = this.theme.faint;
    context.fillText(`${humanNs(this.model.to - this.model.from)} shown`, 10 * ratio, top / 2);
    for (const { time, label } of ticks) {
      const x = this.x(time, left, width);
      if (x + context.measureText(label).width + 6 * ratio > width) continue;
      context.fillRect(Math.round(x), top - 6 * ratio, 1, 6 * ratio);
      context.fillText(label, x + 4 * ratio, top / 2);
    }
  }

  private row(row: Row, y: number, height: number, left: number, width: number, ratio: number): void {
    const context = this.context;
    const { selection } = this.model;
    const selected = row.lane !== null && ((row.thread !== null && row.thread.index === selection.thread) ||
      (row.user !== null && row.user.index === selection.user));
    if (row.lane === null || selected) {
      context.fillStyle = row.lane === null ? this.theme.raised : this.theme.accent;
      context.globalAlpha = row.lane === null ? 1 : 0.16;
      context.fillRect(0, y, width, height);
      context.globalAlpha = 1;
    }
    this.label(row, selected, y, height, left, ratio);
    if (row.lane === null) return;
    context.fillStyle = this.theme.line;
    context.fillRect(0, y + height - 1, width, 1);
    const pad = Math.round((row.lane.kind === "user" ? 2 : 3) * ratio);
    context.save();
    context.beginPath();
    context.rect(left, y, width - left, height);
    context.clip();
    context.font = `${11 * ratio}px system-ui, sans-serif`;
    this.painter.paint(this.model.data.pictures.cells, row.lane,
      { from: this.model.from, to: this.model.to, left, width: width - left, top: y + pad, height: height - 2 * pad - 1 },
      this.look(row.lane, ratio));
    this.outline(row.lane, y, height, left, width, ratio);
    context.restore();
  }

  private outline(lane: Lane, y: number, height: number, left: number, width: number, ratio: number): void {
    const { selection, data: { pictures: { cells } } } = this.model;
    if (selection.lane !== lane || selection.cell === null) return;
    const begin = this.x(cells.begin[selection.cell]!, left, width), end = this.x(cells.end[selection.cell]!, left, width);
    this.context.strokeStyle = this.theme.text;
    this.context.lineWidth = 2 * ratio;
    this.context.strokeRect(begin, y + ratio, Math.max(end - begin, 2 * ratio), height - 3 * ratio);
  }

  private look(lane: Lane, ratio: number): Look {
    const { cells } = this.model.data.pictures;
    const { theme, model } = this;
    const mark = (cell: number): string | null =>
      forced.has(sliceEnds[cells.reason[cell]!] ?? "") ? theme.text : null;
    if (lane.kind === "cpu") {
      const { thread } = model.selection;
      const fades = (value: number): boolean => thread !== null && value !== thread;
      return { colors: this.colors.colors(theme), unknown: theme.thread.length, ratio, mark, quiet: fades,
        category: (value) => this.colors.category(value) + (fades(value) && value !== mixUnknown && value !== mixOff ? ThreadColors.faded : 0),
        label: (cell) => {
          const name = valueName(model, lane, cells.value[cell]!);
          const thread = model.threads.get(cells.value[cell]!);
          return [`${name}  ${shortNs(cells.end[cell]! - cells.begin[cell]!)}`, name, thread?.comm ?? name];
        } };
    }
    if (lane.kind === "user") {
      return { colors: theme.user, category: (value) => value, unknown: theme.user.length - 1, quiet: null, ratio, mark: null,
        label: (cell) => this.lengthLabels(userStates[cells.value[cell]!] ?? "", cell, "") };
    }
    return { colors: theme.state, category: (value) => value, unknown: theme.state.length - 1, quiet: null, ratio,
      mark: (cell) => (cells.value[cell] === 0 ? mark(cell) : null),
      label: (cell) => this.threadLabels(cell) };
  }

  // From everything down to the bare state, for the room there is.
  private lengthLabels(state: string, cell: number, ...more: string[]): string[] {
    const { cells } = this.model.data.pictures;
    const length = `${state} ${shortNs(cells.end[cell]! - cells.begin[cell]!)}`;
    return [...more.map((_, i) => length + more.slice(0, more.length - i).join("")), length, state];
  }

  private threadLabels(cell: number): string[] {
    const { cells } = this.model.data.pictures;
    const state = states[cells.value[cell]!] ?? "";
    if (state !== "run") {
      const other = cells.other[cell]!;
      const timer = (cells.flags[cell]! & byTimer) !== 0;
      const call = this.model.data.pictures.whys[cells.why[cell]!]?.[0] ?? "";
      return this.lengthLabels(state, cell, call === "" ? "" : ` in ${call}`,
        state === "wait" ? "" : timer ? ", woken by timer" : other === none ? "" : `, woken by ${this.model.threadName(other)}`);
    }
    const by = cells.by[cell]!;
    const ended = (cells.flags[cell]! & endCut) !== 0 ? "" : `, ${sliceEnds[cells.reason[cell]!] ?? ""}`;
    const cpu = `CPU ${cells.cpu[cell]!}`;
    const length = `${cpu} ${shortNs(cells.end[cell]! - cells.begin[cell]!)}`;
    return [`${length}${ended}${by === none ? "" : ` by ${this.model.threadName(by)}`}`, length + ended, length, cpu];
  }

  private label(row: Row, selected: boolean, y: number, height: number, left: number, ratio: number): void {
    const context = this.context;
    const group = row.lane === null;
    context.font = `${group || selected ? "600 " : ""}${(group ? 12 : 11.5) * ratio}px system-ui, sans-serif`;
    const indent = (10 + row.indent * 10) * ratio;
    const middle = y + height / 2;
    const narrow = left < 150 * ratio;
    let right = left - 8 * ratio;
    if (row.note !== "" && (!narrow || row.thread === null) && !(narrow && row.user !== null)) {
      context.fillStyle = this.theme.faint;
      context.textAlign = "right";
      context.fillText(row.note, right, middle);
      right -= context.measureText(row.note).width + 8 * ratio;
      context.textAlign = "left";
    }
    context.fillStyle = this.theme.text;
    const arrow = group ? (this.rows.rows.some((other) => other.group === row.group && other.lane !== null) ? "▾ " : "▸ ") : "";
    context.fillText(fitting(context, arrow + row.label, right - indent), indent, middle);
  }

  private gaps(left: number, top: number, width: number, height: number): void {
    for (const gap of this.model.report.records.gaps ?? []) {
      const begin = this.x(this.model.time(gap.begin_ns), left, width), end = this.x(this.model.time(gap.end_ns), left, width);
      if (end < left || begin > width) continue;
      const x = Math.max(begin, left);
      this.context.globalAlpha = 0.35;
      this.context.fillStyle = this.theme.bad;
      this.context.fillRect(x, top, Math.max(1, Math.min(end, width) - x), height - top);
      this.context.globalAlpha = 1;
    }
  }

  private overlay(left: number, top: number, width: number, height: number, ratio: number): void {
    const context = this.context;
    if (this.band !== null) {
      const begin = this.x(this.band.from, left, width), end = this.x(this.band.to, left, width);
      context.globalAlpha = 0.2;
      context.fillStyle = this.theme.accent;
      context.fillRect(begin, top, end - begin, height - top);
      context.globalAlpha = 1;
      this.flag(humanNs(this.band.to - this.band.from), end, left, top, width, ratio);
    } else if (this.cursor !== null && this.cursor.x > this.labelWidth) {
      const x = Math.round(this.cursor.x * ratio);
      context.fillStyle = this.theme.faint;
      context.fillRect(x, top, 1, height - top);
      this.flag(`+${humanNs(Math.max(0, this.model.since(this.timeAt(this.cursor.x))))}`, x, left, top, width, ratio);
    }
  }

  private flag(text: string, x: number, left: number, top: number, width: number, ratio: number): void {
    const context = this.context;
    context.font = `${11 * ratio}px system-ui, sans-serif`;
    const room = context.measureText(text).width + 12 * ratio;
    const begin = Math.min(Math.max(x - room / 2, left), width - room);
    context.fillStyle = this.theme.text;
    context.fillRect(begin, 4 * ratio, room, top - 9 * ratio);
    context.fillStyle = this.theme.background;
    context.fillText(text, begin + 6 * ratio, top / 2);
  }
}
