// SPDX-License-Identifier: GPL-2.0-only

// The same words as human_ns() of the program: four digits and a unit.
export function humanNs(ns: number): string {
  for (const [unit, name] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]] as const) {
    if (ns >= unit * 0.99995) {
      const value = ns / unit;
      return `${value.toFixed(value >= 999.95 ? 0 : value >= 99.995 ? 1 : value >= 9.9995 ? 2 : 3)} ${name}`;
    }
  }
  return `${Math.round(ns)} ns`;
}

// For lags and other differences.
export function signedNs(ns: number): string {
  return ns < 0 ? `−${humanNs(-ns)}` : humanNs(ns);
}

// Without digits that say nothing: for round numbers, as on an axis.
export function shortNs(ns: number): string {
  for (const [unit, name] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]] as const) {
    if (Math.abs(ns) >= unit) return `${+(ns / unit).toPrecision(4)} ${name}`;
  }
  return `${Math.round(ns)} ns`;
}

export function grouped(n: number | bigint): string {
  return (typeof n === "bigint" ? n : Math.round(n)).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

// For titles; a double is exact up to 104 days.
export function exactNs(ns: number | bigint): string {
  return `${typeof ns === "number" && !Number.isSafeInteger(ns) ? "about " : ""}${grouped(ns)} ns`;
}

export function plural(count: number, what: string): string {
  return `${grouped(count)} ${what}${count === 1 ? "" : "s"}`;
}

// What is no thread has no tid.
export function nameOf({ tid, comm }: { tid: number; comm?: string }): string {
  return comm === undefined ? `tid ${tid}` : tid === 0 ? comm : `${comm}/${tid}`;
}

export function percent(part: number, whole: number): string {
  if (whole <= 0) return "unknown";
  const value = (100 * part) / whole;
  if (value <= 0) return "0 %";
  if (value < 0.1) return "<0.1 %";
  if (value < 100 && value > 99.9) return ">99.9 %";
  return `${value.toFixed(1)} %`;
}

// A word that a thread slept for; without an address several at once.
export function futexName(word: number | string | undefined): string {
  return word === undefined ? "several" : `0x${BigInt(word).toString(16)}`;
}

export function humanBytes(bytes: number): string {
  let value = bytes;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1023.95) return `${unit === "B" ? value : value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

// Step of an axis: 1, 2 or 5 times a power of ten, at least `least`.
export function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1e-9)));
  for (const factor of [1, 2, 5]) if (power * factor >= least) return power * factor;
  return power * 10;
}
