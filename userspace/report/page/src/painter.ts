// SPDX-License-Identifier: GPL-2.0-only
// Draws the cells of one lane. A pixel that several stretches share is a column of their shares,
// so that a picture of ten seconds says as much truth as one of ten microseconds.

import { firstAfter, type Cells, type Lane } from "./data";
import { inkOn } from "./theme";

export interface Frame {
  from: number;
  to: number;
  left: number;   // device pixels
  width: number;
  top: number;
  height: number;
}

export interface Look {
  colors: string[];
  category(value: number): number;
  unknown: number;                          // this category is hatched
  quiet: ((value: number) => boolean) | null;   // no text in these
  label: ((cell: number) => string[]) | null;   // text inside a cell: the first that fits
  mark: ((cell: number) => string | null) | null;  // colour of the corner where a stretch ends
  ratio: number;                            // device pixels to one of CSS
}

// As much of the text as there is room for, with an ellipsis where it is cut: in the name, not in the
// number that follows it.
export function fitting(context: CanvasRenderingContext2D, text: string, room: number): string {
  const fits = (shorter: string): boolean => context.measureText(shorter).width <= room;
  if (fits(text)) return text;
  const tail = /(\/| \()[^/(]*$/.exec(text)?.[0] ?? "";
  const letters = Array.from(text.slice(0, text.length - tail.length));
  const cut = (length: number): string => `${letters.slice(0, length).join("").trimEnd()}…${tail}`;
  let most = 0;
  for (let over = letters.length; most + 1 < over;) {
    const middle = (most + over) >> 1;
    if (fits(cut(middle))) most = middle;
    else over = middle;
  }
  return cut(most);
}

export class Painter {
  private readonly shares = new Float64Array(32);
  private column = -1;

  constructor(private readonly context: CanvasRenderingContext2D, private readonly hatch: () => CanvasPattern | string) {}

  paint(cells: Cells, lane: Lane, frame: Frame, look: Look): void {
    const scale = frame.width / (frame.to - frame.from);
    this.column = -1;
    for (let i = firstAfter(cells, lane, frame.from); i < lane.last && cells.begin[i]! < frame.to; ++i) {
      const begin = Math.max(0, (cells.begin[i]! - frame.from) * scale);
      const end = Math.min(frame.width, (cells.end[i]! - frame.from) * scale);
      this.cell(cells, i, begin, end, frame, look);
    }
    this.flush(frame, look);
  }

  // Edge pixels collect shares, whole ones between them are one rectangle.
  private cell(cells: Cells, i: number, begin: number, end: number, frame: Frame, look: Look): void {
    const first = Math.floor(begin), last = Math.floor(end);
    if (first !== this.column) this.flush(frame, look);
    if (first === last) {
      this.column = first;
      this.share(cells, i, end - begin, look);
      return;
    }
    this.column = first;
    this.share(cells, i, first + 1 - begin, look);
    if (last > first + 1) {
      // A stretch that begins or ends on a whole pixel has no edge to share there.
      this.flush(frame, look);
      this.body(cells, i, first + 1, last, frame, look);
    } else {
      this.flush(frame, look);
    }
    this.column = last;
    this.share(cells, i, end - last, look);
  }

  private share(cells: Cells, i: number, width: number, look: Look): void {
    if (width <= 0) return;
    const mix = cells.mix[i]!;
    if (mix < 0) {
      this.shares[look.category(cells.value[i]!)]! += width;
      return;
    }
    const whole = cells.end[i]! - cells.begin[i]!;
    for (let k = mix; k < mix + cells.mixUsed[i]!; ++k) {
      this.shares[look.category(cells.mixKey[k]!)]! += (width * cells.mixNs[k]!) / whole;
    }
  }

  private flush(frame: Frame, look: Look): void {
    if (this.column < 0 || this.column >= frame.width) {
      this.shares.fill(0);
      return;
    }
    this.stack(this.shares, 1, this.column, 1, frame, look);
    this.shares.fill(0);
  }

  // From the bottom up; what is there at all gets at least a dot.
  private stack(shares: Float64Array, whole: number, x: number, width: number, frame: Frame, look: Look): void {
    let y = frame.top + frame.height;
    for (let k = 0; k < look.colors.length; ++k) {
      if (shares[k]! <= 0) continue;
      const height = Math.max(1, Math.round((shares[k]! / whole) * frame.height));
      const top = Math.max(frame.top, y - height);
      if (top >= y) break;
      this.context.fillStyle = k === look.unknown ? this.hatch() : look.colors[k]!;
      this.context.fillRect(frame.left + x, top, width, y - top);
      y = top;
    }
  }

  private body(cells: Cells, i: number, first: number, last: number, frame: Frame, look: Look): void {
    const mix = cells.mix[i]!;
    const context = this.context;
    if (mix >= 0) {
      const shares = new Float64Array(look.colors.length);
      for (let k = mix; k < mix + cells.mixUsed[i]!; ++k) shares[look.category(cells.mixKey[k]!)]! += cells.mixNs[k]!;
      this.stack(shares, cells.end[i]! - cells.begin[i]!, first, last - first, frame, look);
      return;
    }
    const value = cells.value[i]!;
    const category = look.category(value);
    const width = last - first;
    context.fillStyle = category === look.unknown ? this.hatch() : look.colors[category]!;
    context.fillRect(frame.left + first, frame.top, width, frame.height);
    if (look.quiet?.(value)) return;
    const mark = width >= 6 * look.ratio ? look.mark?.(i) : null;
    if (mark) this.corner(frame.left + last, frame.top, Math.min(5 * look.ratio, width / 2), mark);
    if (look.label !== null && width >= 24 * look.ratio) this.text(look.label(i), category, first, width, frame, look);
  }

  private corner(right: number, top: number, size: number, color: string): void {
    const context = this.context;
    context.fillStyle = color;
    context.beginPath();
    context.moveTo(right - size, top);
    context.lineTo(right, top);
    context.lineTo(right, top + size);
    context.fill();
  }

  private text(labels: string[], category: number, first: number, width: number, frame: Frame, look: Look): void {
    if (category === look.unknown) return;
    const context = this.context;
    const pad = 5 * look.ratio;
    const label = labels.find((text) => context.measureText(text).width <= width - 2 * pad);
    if (label === undefined) return;
    context.fillStyle = inkOn(look.colors[category]!);
    context.fillText(label, frame.left + first + pad, frame.top + frame.height / 2 + look.ratio);
  }
}
