// SPDX-License-Identifier: GPL-2.0-only
#include "report/export_folded.h"

#include <algorithm>
#include <map>
#include <ranges>

#include <fmt/format.h>

#include "base/text.h"
#include "report/load.h"
#include "report/names.h"
#include "report/out_file.h"
#include "report/stacks.h"

namespace schedscope::report {
namespace {

// What parts frames is no part of one.
std::string part(std::string text) {
  std::ranges::replace(text, ';', ':');
  return text;
}

}  // namespace

std::string folded(const analysis::Report& report) {
  if (!report.stacks) return "";
  const analysis::StackReport& stacks = *report.stacks;
  std::map<std::string, std::uint64_t> lines;  // threads of one name are one
  for (const auto& thread : report.threads) {
    if (thread.who.bystander) continue;
    const std::string name =
        part(thread.who.comm.empty() ? label(thread.who) : printable(thread.who.comm));
    std::uint64_t without_ns = thread.sleep_ns + thread.block_ns;
    for (const auto& row : thread.off_cpu_stacks) {
      std::string line = name;
      if (row.others) line += ";(others)";
      for (const auto& frame : std::views::reverse(frame_labels(stacks, row.stacks.user))) {
        line += ";" + part(frame);
      }
      for (const auto& frame : std::views::reverse(frame_labels(stacks, row.stacks.kernel))) {
        line += ";" + part(frame) + "_[k]";
      }
      lines[std::move(line)] += row.ns;
      without_ns -= std::min(without_ns, row.ns);
    }
    if (without_ns != 0) lines[name + ";(no record)"] += without_ns;
  }
  std::string out;
  for (const auto& [line, ns] : lines) out += fmt::format("{} {}\n", line, ns);
  return out;
}

Result<void> export_folded(const std::filesystem::path& capture, const std::filesystem::path& out) {
  const auto report = load(capture);
  if (!report) return std::unexpected(report.error());
  if (!report->stacks) {
    return fail(fmt::format("fold the stacks of {}", capture.string()), "it has none",
                "record with --stacks", Exit::input);
  }
  auto file = OutFile::create(out);
  if (!file) return std::unexpected(file.error());
  if (auto written = file->append(folded(*report)); !written) return written;
  if (auto done = file->commit(); !done) return done;
  if (report->complete) return {};
  return fail(fmt::format("export all of {}", capture.string()), report->damage,
              "what could be read was written", Exit::input);
}

}  // namespace schedscope::report
