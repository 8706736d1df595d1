// SPDX-License-Identifier: GPL-2.0-only
// Histograms: bucket b counts what lies between two edges, edge(b) and edge(b + 1).

import uPlot from "uplot";
import { h } from "./dom";
import { grouped, shortNs } from "./format";
import { readTheme } from "./theme";

export function sum(histograms: number[][]): number[] {
  const out: number[] = [];
  for (const buckets of histograms) buckets.forEach((count, i) => { out[i] = (out[i] ?? 0) + count; });
  return Array.from(out, (count) => count ?? 0);
}

export interface Scale {
  edge(bucket: number): string;
  every: number;  // so many edges have a label
  last?: number;  // bucket, that has no upper edge
}

// Lengths from 2^b to 2^(b+1) ns.
export const lengths: Scale = { edge: (b) => shortNs(b === 0 ? 0 : 2 ** b), every: 5 };
export const quartersOfNominal: Scale = { edge: (b) => `${b / 4}×`, every: 4, last: 16 };

export function histogram(title: string, buckets: number[], color: string, scale = lengths): HTMLElement {
  const first = buckets.findIndex((count) => count > 0);
  const box = h("figure", { class: "chart" }, h("figcaption", {}, title));
  if (first < 0) {
    box.append(h("p", { class: "faint" }, "none ended within the report"));
    return box;
  }
  const xs: number[] = [], ys: number[] = [];
  for (let b = Math.max(0, first - 1); b <= buckets.length; ++b) {
    xs.push(b);
    ys.push(buckets[b] ?? 0);
  }
  const total = buckets.reduce((all, count) => all + count, 0);
  const range = (b: number): string => (b === scale.last ? `${scale.edge(b)} and more` : `${scale.edge(b)} to ${scale.edge(b + 1)}`);
  box.setAttribute("aria-label", `${title}: ${grouped(total)}, most in ${range(buckets.indexOf(Math.max(...buckets)))}`);
  const readout = h("output", { class: "readout" }, `${grouped(total)} in all`);
  box.firstElementChild!.append(readout);
  const holder = h("div");
  box.append(holder);
  const theme = readTheme();
  const axis = { stroke: theme.faint, grid: { stroke: theme.line, width: 1 }, ticks: { stroke: theme.line, width: 1 }, font: "11px system-ui, sans-serif" };
  const plot = new uPlot({
    width: 300,
    height: 150,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { time: false, range: (_, low, high) => [low - 0.5, high + 0.5] }, y: { range: (_, __, high) => [0, Math.max(1, high * 1.05)] } },
    series: [{}, { stroke: color, fill: color, width: 0, points: { show: false }, paths: uPlot.paths.bars!({ size: [0.86, 100] }) }],
    axes: [
      { ...axis, space: 46, size: 28, splits: (_, __, low, high) => { const out = []; for (let b = Math.ceil(low / scale.every) * scale.every; b <= high; b += scale.every) out.push(b - 0.5); return out; },
        values: (_, splits) => splits.map((b) => scale.edge(b + 0.5)) },
      { ...axis, size: 48, space: 28, values: (_, splits) => splits.map((n) => (Number.isInteger(n) ? (n >= 1e6 ? `${n / 1e6}M` : n >= 1e4 ? `${n / 1e3}k` : grouped(n)) : "")) },
    ],
    hooks: {
      setCursor: [(u) => {
        const at = u.cursor.idx;
        const b = at === null || at === undefined ? undefined : xs[at];
        readout.textContent = b === undefined ? `${grouped(total)} in all` : `${range(b)}: ${grouped(buckets[b] ?? 0)}`;
      }],
    },
  }, [xs, ys], holder);
  new ResizeObserver(() => {
    const width = holder.clientWidth;
    if (width > 0 && Math.abs(width - plot.width) > 1) plot.setSize({ width, height: 150 });
  }).observe(holder);
  return box;
}
