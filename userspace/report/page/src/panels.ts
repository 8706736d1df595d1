// SPDX-License-Identifier: GPL-2.0-only
// The words around the timeline: what happened, whether to trust it, findings, claims.

import { fill, h } from "./dom";
import { grouped, humanBytes, humanNs, shortNs } from "./format";
import type { Model } from "./model";
import type { Claim, Finding } from "./types";

// A number and its unit stay on one line.
const unbroken = (text: string): string => text.replace(/(\d) (?=%|(?:ns|us|ms|s)\b)/g, "$1\u00a0");

const trust = new Set(["Lost", "Conservation", "Agreement", "Tracing cost", "Not told by this kernel", "Not looked at"]);

export function showHeader(model: Model, title: HTMLElement, facts: HTMLElement): void {
  const { capture } = model.report;
  const name = capture.file?.split("/").pop() ?? "a capture";
  document.title = `${name} – schedscope`;
  title.textContent = name;
  const parts = [humanNs(capture.end_ns - capture.start_ns), capture.cpus ? `${capture.cpus} CPUs` : "", capture.kernel ? `Linux ${capture.kernel}` : "",
    capture.scheduler ?? "", capture.witnesses.join(" + "), humanBytes(capture.bytes)];
  fill(facts, ...parts.filter(Boolean).map((part) => h("span", {}, part)));
}

export function showStory(model: Model, happened: HTMLElement, trusted: HTMLElement): void {
  for (const { heading, text, bad } of model.report.story) {
    fill(trust.has(heading) ? trusted : happened, h("dt", { class: bad ? "bad" : "" }, heading),
      h("dd", { class: bad ? "bad" : "" }, unbroken(text)));
  }
  const { resolutionNs, stretches } = model.data.pictures;
  fill(trusted, h("dt", {}, "This picture"), h("dd", {}, resolutionNs === 0
    ? `All ${grouped(stretches)} recorded stretches are drawn, each as it was.`
    : `${grouped(stretches)} stretches, drawn at a resolution of ${shortNs(resolutionNs)}: neighbours that together are shorter are drawn as one, ` +
      "with the share of each. Longer stretches are exact, and the tables rest on all records. report --from … --to … draws a part in full."));
}

export function showFindings(model: Model, section: HTMLElement, list: HTMLElement, jump: (finding: Finding) => void): void {
  const { findings } = model.report;
  section.hidden = findings.length === 0;
  const rank = { warning: 0, notice: 1, info: 2 };
  for (const finding of [...findings].sort((a, b) => rank[a.severity] - rank[b.severity])) {
    const place = finding.at_ns !== undefined || finding.thread_index !== undefined || finding.user_thread_index !== undefined;
    const at = finding.at_ns === undefined ? "" : `at +${humanNs(Math.max(0, model.since(model.time(finding.at_ns))))}`;
    fill(list, h("li", { class: finding.severity }, h("span", { class: "badge" }, finding.severity), h("div", {},
      h("p", {}, unbroken(finding.text)), place ? h("button", { type: "button", class: "link", click: () => jump(finding) }, `Show ${at}`.trim()) : null)));
  }
}

const verdicts: Record<string, string> = { holds: "good", "holds-with-caveat": "notice", "fails-here": "warning", unsupported: "info" };

function numbers(values: Record<string, number> | undefined): HTMLElement | null {
  if (values === undefined || Object.keys(values).length === 0) return null;
  return h("dl", { class: "facts" }, ...Object.entries(values).flatMap(([name, value]) => [h("dt", {}, name.replace(/_ns$/, "").replaceAll("_", " ")),
    h("dd", {}, name.endsWith("_ns") ? humanNs(value) : Number.isInteger(value) ? grouped(value) : String(+value.toPrecision(5)))]));
}

export function showClaims(model: Model, section: HTMLElement, box: HTMLElement): void {
  const claims: Claim[] = model.data.lab?.claims ?? [];
  section.hidden = claims.length === 0;
  if (claims.length === 0) return;
  const body = h("tbody");
  for (const claim of claims) {
    fill(body, h("tr", {},
      h("td", {}, h("code", {}, claim.id), h("p", {}, claim.claim)),
      h("td", {}, h("span", { class: `badge ${verdicts[claim.verdict] ?? "info"}` }, claim.verdict),
        claim.caveat ? h("p", {}, claim.caveat) : null, claim.rule ? h("p", { class: "faint" }, `Rule: ${claim.rule}`) : null),
      h("td", {}, numbers(claim.evidence)), h("td", {}, numbers(claim.workload))));
  }
  fill(box, h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Claims" }, h("table", { class: "claims" },
    h("caption", {}, "Claims"), h("thead", {}, h("tr", {}, ...["Claim", "Verdict", "From the trace", "From the workload"].map((text) => h("th", { scope: "col" }, text)))), body)));
}
