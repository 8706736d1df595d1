// SPDX-License-Identifier: GPL-2.0-only
// The whole capture in one strip: how many CPUs were busy, and which part the timeline shows.

import { mixOff, mixOthers, mixUnknown } from "./data";
import type { Model } from "./model";
import { readTheme } from "./theme";

export class Overview {
  private busy: Float64Array = new Float64Array(0);
  private unknown: Float64Array = new Float64Array(0);

  constructor(private readonly model: Model, private readonly canvas: HTMLCanvasElement) {
    model.on(["view", "theme"], () => this.draw());
    new ResizeObserver(() => {
      this.count();
      this.draw();
    }).observe(canvas);
    this.listen();
  }

  private count(): void {
    const width = Math.max(1, Math.round(this.canvas.clientWidth * (devicePixelRatio || 1)));
    this.busy = new Float64Array(width);
    this.unknown = new Float64Array(width);
    const { cells } = this.model.data.pictures;
    const scale = width / (this.model.end - this.model.begin);
    for (const lane of this.model.cpuLanes.values()) {
      for (let i = lane.first; i < lane.last; ++i) {
        const mix = cells.mix[i]!;
        const whole = cells.end[i]! - cells.begin[i]!;
        let known = 1, lost = 0;
        if (mix >= 0) {
          known = 0;
          for (let k = mix; k < mix + cells.mixUsed[i]!; ++k) {
            if (cells.mixKey[k] === mixUnknown) lost += cells.mixNs[k]! / whole;
            else if (cells.mixKey[k] !== mixOff) known += cells.mixNs[k]! / whole;
          }
        } else if (cells.value[i] === mixOff) {
          known = 0;
        } else if (cells.value[i] === mixUnknown || cells.value[i] === mixOthers) {
          known = 0;
          lost = 1;
        }
        this.spread(this.busy, (cells.begin[i]! - this.model.begin) * scale, (cells.end[i]! - this.model.begin) * scale, known);
        if (lost > 0) this.spread(this.unknown, (cells.begin[i]! - this.model.begin) * scale, (cells.end[i]! - this.model.begin) * scale, lost);
      }
    }
  }

  private spread(bins: Float64Array, begin: number, end: number, share: number): void {
    const last = Math.min(end, bins.length);
    for (let x = Math.max(0, Math.floor(begin)); x < last; ++x) {
      bins[x]! += (Math.min(x + 1, last) - Math.max(x, begin)) * share;
    }
  }

  private draw(): void {
    const { canvas, model } = this;
    const theme = readTheme();
    const width = this.busy.length, height = Math.round(canvas.clientHeight * (devicePixelRatio || 1));
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d")!;
    const cpus = Math.max(1, model.cpuLanes.size, model.report.cpus.length);
    for (let x = 0; x < width; ++x) {
      const busy = (Math.min(cpus, this.busy[x]!) / cpus) * height, lost = (Math.min(cpus, this.unknown[x]!) / cpus) * height;
      context.fillStyle = theme.state[0]!;
      context.fillRect(x, height - busy, 1, busy);
      context.fillStyle = theme.unknown;
      context.fillRect(x, height - busy - lost, 1, lost);
    }
    const scale = width / (model.end - model.begin);
    const from = (model.from - model.begin) * scale, to = (model.to - model.begin) * scale;
    context.fillStyle = theme.background;
    context.globalAlpha = 0.72;
    context.fillRect(0, 0, from, height);
    context.fillRect(to, 0, width - to, height);
    context.globalAlpha = 1;
    context.strokeStyle = theme.accent;
    context.lineWidth = 2 * (devicePixelRatio || 1);
    context.strokeRect(from, 0, Math.max(to - from, 2), height);
  }

  private listen(): void {
    const move = (event: PointerEvent): void => {
      const box = this.canvas.getBoundingClientRect();
      const { model } = this;
      const time = model.begin + ((event.clientX - box.left) / box.width) * (model.end - model.begin);
      const half = (model.to - model.from) / 2;
      model.show(time - half, time + half);
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      move(event);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (event.buttons === 1) move(event);
    });
  }
}
