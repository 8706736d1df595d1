// SPDX-License-Identifier: GPL-2.0-only
// A table that sorts by any column; each number keeps its exact value in its title.

import { fill, h, replace } from "./dom";
import { exactNs, grouped, humanNs, percent } from "./format";

type Kind = "text" | "ns" | "at" | "count" | "share";

// What most is asked of it: the most of an amount, but the first of names and places in time.
const fallsFirst = (kind: Kind): boolean => kind !== "text" && kind !== "at";

export interface Column<T> {
  key: string;
  title: string;
  kind: Kind;
  value: (row: T) => string | number | undefined;
  hint?: string;
  always?: boolean;  // stays when every value is 0
  choose?: (row: T) => (() => void) | null;  // what a click on it does
}

export const firstRows = 100;
// Thousands of rows take seconds: who wants more than the first gets ten times as many.
export const moreRows = 10;

export class SortedTable<T> {
  protected sort: string;
  protected down = true;
  private readonly lines = new Map<T, HTMLElement>();

  constructor(protected readonly box: HTMLElement, private readonly caption: string, protected readonly columns: Column<T>[],
    private readonly rows: T[], sort: string, protected readonly matches: (row: T) => boolean,
    private readonly selected: (row: T) => boolean, protected limit = firstRows) {
    this.sort = sort;
    this.down = fallsFirst(columns.find(({ key }) => key === sort)?.kind ?? "text");
    // A column in which nothing ever happened says so once, by its absence.
    this.columns = columns.filter((column) => column.always || rows.some((row) => {
      const value = column.value(row);
      return value !== undefined && value !== "" && value !== 0;
    }));
  }

  // Marks the row that is selected; drawing all of them anew would take too long for that.
  mark(): void {
    for (const [row, line] of this.lines) line.classList.toggle("selected", this.selected(row));
  }

  draw(): void {
    this.lines.clear();
    const table = h("table", {}, h("caption", {}, this.caption), h("thead", {}, this.head()));
    const { shown, of } = this.fill(table);
    replace(this.box, h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": this.caption }, table));
    if (shown < of) {
      const next = Math.min(of, this.limit * moreRows);
      fill(this.box, h("p", {}, h("button", { type: "button", click: () => { this.limit = next; this.draw(); } },
        next === of ? `Show all ${grouped(of)}` : `Show ${grouped(next)} of ${grouped(of)}`), h("span", { class: "faint" }, ` ${grouped(shown)} are shown`)));
    } else if (of === 0) {
      fill(this.box, h("p", { class: "faint" }, "Nothing matches the filter."));
    }
  }

  // Adds the rows; how many of how many.
  protected fill(table: HTMLTableElement): { shown: number; of: number } {
    const rows = this.sorted(this.rows.filter(this.matches), this.column().value);
    const shown = rows.slice(0, this.limit);
    table.append(h("tbody", {}, ...shown.map((row) => this.row(row))));
    return { shown: shown.length, of: rows.length };
  }

  protected column(): Column<T> {
    return this.columns.find(({ key }) => key === this.sort) ?? this.columns[0]!;
  }

  // In place; what has no value comes last, whichever the direction.
  protected sorted<R>(rows: R[], value: (row: R) => string | number | undefined): R[] {
    const direction = this.down ? -1 : 1;
    return rows.sort((a, b) => {
      const x = value(a), y = value(b);
      if (x === undefined || y === undefined) return Number(x === undefined) - Number(y === undefined);
      return typeof x === "number" && typeof y === "number" ? (x - y) * direction : String(x).localeCompare(String(y)) * direction;
    });
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
    this.down = key === this.sort ? !this.down : fallsFirst(kind);
    this.sort = key;
    this.draw();
    this.box.querySelector<HTMLElement>(`[data-key="${key}"]`)?.focus();
  }

  protected row(row: T): HTMLElement {
    const line = h("tr", { class: this.selected(row) ? "selected" : "" });
    for (const { key, kind, value, choose } of this.columns) {
      const is = value(row);
      const text = is === undefined ? "" : kind === "at" ? `+${humanNs(Number(is))}` : kind === "ns" ? (is === 0 ? "–" : humanNs(Number(is)))
        : kind === "count" ? (is === 0 ? "–" : grouped(Number(is))) : kind === "share" ? percent(Number(is), 1) : String(is);
      const cell = h("td", { class: kind === "text" ? "" : "number", "data-key": key,
        title: (kind === "ns" || kind === "at") && is !== undefined ? exactNs(Number(is)) : null, "data-value": typeof is === "number" ? is : null });
      const click = choose?.(row);
      if (click) cell.append(h("button", { type: "button", class: "link", click }, text));
      else cell.textContent = text;
      line.append(cell);
    }
    this.lines.set(row, line);
    return line;
  }
}

export const ns = <T>(key: keyof T & string, title: string, hint?: string): Column<T> =>
  ({ key, title, kind: "ns", value: (row) => row[key] as number, ...(hint === undefined ? {} : { hint }) });
export const count = <T>(key: keyof T & string, title: string, hint?: string): Column<T> =>
  ({ key, title, kind: "count", value: (row) => row[key] as number, ...(hint === undefined ? {} : { hint }) });
