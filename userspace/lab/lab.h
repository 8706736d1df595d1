// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace schedscope::lab {

struct Trial;

enum class Verdict { holds, holds_with_caveat, fails_here, unsupported };
[[nodiscard]] std::string_view name_of(Verdict verdict);

using Numbers = std::vector<std::pair<std::string, double>>;

// What an experiment came to.
struct Answer {
  Verdict verdict = Verdict::unsupported;
  std::string headline;  // the numbers that decide, for people
  std::string caveat;    // what the verdict holds under, why it fails, or what is missing
  Numbers evidence;      // from the capture
  Numbers workload;      // the workload's own counters
  std::vector<std::string> witnesses;
  std::filesystem::path capture;
};

// One claim: what runs, and how the capture of it becomes a verdict.
struct Experiment {
  std::string_view id;
  std::string_view claim;
  std::string_view ran;
  std::string_view rule;
  // Runs in a process of its own, which is recorded with its children. Exit status.
  int (*workload)();
  // Sets verdict, headline, caveat and evidence. The capture has no gap that matters.
  void (*judge)(const Trial& trial, Answer& answer);
  bool user_spans = false;  // judge() looks at Trial's user_spans
};

// All of them, in the order of the list of claims.
[[nodiscard]] std::span<const Experiment* const> experiments();
[[nodiscard]] const Experiment* find(std::string_view id);

// Runs the experiments `ids` (none: all), leaves captures and lab.json in `dir`, prints the
// verdicts, or with `json` the JSON, to stdout. Errors: an id that is none, recording is not
// possible.
[[nodiscard]] Result<Exit> run(const std::vector<std::string>& ids,
                               const std::filesystem::path& dir, bool json);

// The verb behind run(): `schedscope lab-workload ID`, whose process run() records.
inline constexpr const char* workload_verb = "lab-workload";
[[nodiscard]] int run_workload(std::string_view id);

}  // namespace schedscope::lab
