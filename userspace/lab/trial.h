// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "analysis/report.h"
#include "base/error.h"
#include "lab/lab.h"
#include "timeline/sink.h"

namespace schedscope::lab {

struct Window {
  std::uint64_t from_ns = 0, to_ns = 0;
  [[nodiscard]] std::uint64_t length() const { return to_ns > from_ns ? to_ns - from_ns : 0; }
  // How much of [begin, end) lies inside.
  [[nodiscard]] std::uint64_t share(std::uint64_t begin_ns, std::uint64_t end_ns) const;
};

// All stretches of a capture: workloads are short, so all of them fit.
struct Stretches final : timeline::Sink {
  std::vector<timeline::Slice> slices;
  std::vector<timeline::Span> spans;
  std::vector<timeline::UserSpan> user_spans;
  std::vector<timeline::HostageSpan> hostage_spans;
  struct UserSwitches {
    std::uint64_t count = 0, first_ns = 0, last_ns = 0;
  };
  std::vector<UserSwitches> user_switches;  // by UserIndex
  bool with_user_spans = false;

  [[nodiscard]] bool wants_user_spans() const override { return with_user_spans; }
  void slice(const timeline::Slice& one) override { slices.push_back(one); }
  void span(const timeline::Span& one) override { spans.push_back(one); }
  void user_span(const timeline::UserSpan& one) override { user_spans.push_back(one); }
  void hostages(const timeline::HostageSpan& one) override { hostage_spans.push_back(one); }
  void user_switch(timeline::UserIndex user, std::uint64_t at_ns) override;
};

// One recorded run of an experiment's workload, analysed.
struct Trial {
  analysis::Report report;
  Stretches stretches;
  std::map<std::string, double> workload;

  using Threads = std::vector<const analysis::ThreadReport*>;
  // Threads of this name, or whose name begins with it, in the order of their birth.
  [[nodiscard]] Threads named(std::string_view name) const;
  [[nodiscard]] Threads named_like(std::string_view prefix) const;
  [[nodiscard]] const analysis::ThreadReport* thread(timeline::ThreadIndex index) const;
  // The user thread of this name; null when there is none.
  [[nodiscard]] const analysis::UserReport* user(std::string_view name) const;

  // When all of these were alive.
  [[nodiscard]] static Window together(const Threads& threads);
  // Time that these threads were on a CPU within `window`.
  [[nodiscard]] std::uint64_t run_ns(const Threads& threads, Window window) const;
  // at_once[k]: time within `window` in which exactly k of these threads were on a CPU.
  [[nodiscard]] std::vector<std::uint64_t> at_once(const Threads& threads, Window window) const;
};

// at_once[k] of any set of stretches.
[[nodiscard]] std::vector<std::uint64_t> count_at_once(
    const std::vector<std::pair<std::uint64_t, std::uint64_t>>& stretches, Window window,
    std::size_t most);

[[nodiscard]] std::uint64_t state_ns(const analysis::UserReport& user, timeline::UserState state);

// CPU time below which shares say nothing: some dozens of slices.
inline constexpr double least_run_ns = 200e6;
inline constexpr const char* too_little_run =
    "other programs left these too little CPU time to compare: run it on an idle machine";

// The middle one of `values`; 0 of none.
[[nodiscard]] std::uint64_t median(std::vector<std::uint64_t> values);

// Records `experiment`'s workload into `capture` and analyses it.
[[nodiscard]] Result<Trial> run_trial(const Experiment& experiment,
                                      const std::filesystem::path& capture);

}  // namespace schedscope::lab
