// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include <nlohmann/json.hpp>

#include "analysis/report.h"
#include "base/error.h"
#include "collect/record.h"
#include "trace.h"
#include "verdict.h"

namespace schedscope::golden {

struct Schedule;

// A schedule that was played and traced.
struct Trial {
  std::uint32_t cpu = 0;  // where it was played
  std::filesystem::path capture;
  nlohmann::json told;  // by the workload of itself
  analysis::Report report;
  Trace trace;

  // The report of [begin_ns, end_ns) alone.
  [[nodiscard]] Result<analysis::Report> report_of(std::uint64_t begin_ns,
                                                   std::uint64_t end_ns) const;
};

// The one with this tid that lived while the schedule was played; nullptr: none, or more than one.
[[nodiscard]] const analysis::ThreadReport* find_thread(const analysis::Report& report,
                                                        std::uint32_t tid);
// The one with this index in the timeline; nullptr: none (the idle task, or not known).
[[nodiscard]] const analysis::ThreadReport* find_index(const analysis::Report& report,
                                                       timeline::ThreadIndex index);
// The length of a tick; where the kernel does not say, of the longest there is.
[[nodiscard]] inline std::uint64_t tick_ns(const analysis::Report& report) {
  return 1'000'000'000 / std::max(report.machine.hz, 100U);
}
[[nodiscard]] std::uint64_t ends_of(const analysis::ThreadReport& thread, timeline::SliceEnd end);

struct Wish {
  bool verbose = false;
  collect::Witnesses witnesses = collect::Witnesses::bpf;
  [[nodiscard]] std::string_view witness_name() const {
    return collect::witness_names.at(static_cast<std::size_t>(witnesses)).first;
  }
  std::filesystem::path keep;  // captures are kept below it; "": they are not
};

// Plays `schedule` under the tracer and holds the trace against its answer and against what is
// true of every capture. Errors: nothing was traced.
[[nodiscard]] Result<Verdict> try_schedule(const Schedule& schedule, const Wish& wish);

}  // namespace schedscope::golden
