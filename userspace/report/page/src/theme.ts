// SPDX-License-Identifier: GPL-2.0-only
// Colours come from the style sheet, so that light and dark are decided in one place.

import { mixOff, mixOthers, mixUnknown, states, userStates } from "./data";
import type { Model } from "./model";

export interface Theme {
  background: string;
  raised: string;
  text: string;
  faint: string;
  line: string;
  accent: string;
  state: string[];
  user: string[];
  thread: string[];  // ranks, then two for all others in turn
  unknown: string;
  others: string;
  off: string;
  bad: string;
}

const ranked = 9;

export function readTheme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const thread: string[] = [];
  for (let i = 0; i < ranked + 2; ++i) thread.push(color(`thread-${i}`));
  return {
    background: color("background"), raised: color("raised"), text: color("text"), faint: color("faint"),
    line: color("line"), accent: color("accent"), bad: color("bad"), unknown: color("unknown"),
    others: color("others"), off: color("off"),
    state: states.map((name) => color(name)),
    user: userStates.map((name) => color(name)),
    thread,
  };
}

// Which colour a thread has on the CPUs' lanes: those that ran most get one of their own.
export class ThreadColors {
  private readonly rank = new Map<number, number>();

  constructor(model: Model) {
    let rank = 0;
    for (const thread of [...model.report.threads].sort((a, b) => b.run_ns - a.run_ns)) {
      this.rank.set(thread.index, rank < ranked ? rank : ranked + (rank % 2));
      ++rank;
    }
  }

  // Index into the colours of a CPU's lane: Theme.thread, then unknown, then others, then off.
  category(value: number): number {
    if (value === mixOff) return ranked + 4;
    if (value === mixUnknown) return ranked + 2;
    if (value === mixOthers) return ranked + 3;
    return this.rank.get(value) ?? ranked;
  }

  // All colours twice: as they are, and faded, for threads that are not the selected one.
  colors(theme: Theme): string[] {
    const all = [...theme.thread, theme.unknown, theme.others, theme.off];
    return [...all, ...all.map((color) => blend(color, theme.background, 0.2))];
  }

  static readonly faded = ranked + 5;
}

const channels = (color: string): number[] => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));

function blend(color: string, into: string, share: number): string {
  const below = channels(into);
  return `#${channels(color).map((value, i) => Math.round(value * share + below[i]! * (1 - share)).toString(16).padStart(2, "0")).join("")}`;
}

// Black or white, whichever is read more easily on `color` (#rrggbb).
export function inkOn(color: string): string {
  const channel = (at: number): number => {
    const value = parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  const luminance = 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
  return luminance > 0.3 ? "#10151a" : "#ffffff";
}
