// SPDX-License-Identifier: GPL-2.0-only
#include "lab/lab.h"

#include <algorithm>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lab/print.h"
#include "lab/trial.h"
#include "schema/record.h"

namespace schedscope::lab {
namespace {

// Whether records are missing where they would matter: while the workload lived. One that was lost
// to preemption is of no switch and no wakeup.
bool has_gap(const analysis::Report& report) {
  if (report.gaps.empty()) {
    return std::ranges::any_of(report.lost, [](const auto& cause) {
      return cause.second != 0 && cause.first != lost_cause_name(SCHEDSCOPE_LOST_PREEMPTED);
    });
  }
  return std::ranges::any_of(report.gaps, [&](const auto& gap) {
    return gap.begin_ns < report.end_ns && gap.end_ns > report.start_ns;
  });
}

Result<Answer> run_one(const Experiment& experiment, const std::filesystem::path& capture,
                       std::optional<capture::Machine>& machine) {
  Answer answer;
  answer.capture = capture;
  // Once more when records were lost: a busy moment of the machine is not the rule.
  for (int attempt = 0; attempt < 2; attempt++) {
    auto trial = run_trial(experiment, capture);
    if (!trial && trial.error().exit != Exit::finding) return std::unexpected(trial.error());
    if (!trial) {
      answer.caveat = answer.headline = trial.error().message();
      return answer;
    }
    machine = trial->report.machine;
    answer.witnesses = trial->report.machine.witnesses;
    answer.workload.assign(trial->workload.begin(), trial->workload.end());
    if (!trial->report.complete) {
      answer.caveat = answer.headline = "the capture is incomplete: " + trial->report.damage;
      return answer;
    }
    if (!has_gap(trial->report)) {
      experiment.judge(*trial, answer);
      if (answer.headline.empty()) answer.headline = answer.caveat;
      return answer;
    }
  }
  answer.caveat = answer.headline = "records lost";
  return answer;
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds:
      return "holds";
    case Verdict::holds_with_caveat:
      return "holds-with-caveat";
    case Verdict::fails_here:
      return "fails-here";
    case Verdict::unsupported:
      break;
  }
  return "unsupported";
}

Result<Exit> run(const std::vector<std::string>& ids, const std::filesystem::path& dir, bool json) {
  std::vector<const Experiment*> chosen;
  for (const std::string& id : ids) {
    const Experiment* experiment = find(id);
    if (experiment == nullptr) {
      return fail(fmt::format("run the experiment {}", id), "there is none of this name",
                  "`schedscope lab list` shows them", Exit::usage);
    }
    chosen.push_back(experiment);
  }
  if (chosen.empty()) chosen.assign(experiments().begin(), experiments().end());

  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return fail(fmt::format("make the folder {}", dir.string()), error.message());

  Answers answers;
  std::optional<capture::Machine> machine;
  for (const Experiment* experiment : chosen) {
    auto answer = run_one(*experiment, dir / fmt::format("{}.schedscope", experiment->id), machine);
    if (!answer) return std::unexpected(answer.error());
    answers.emplace_back(experiment, std::move(*answer));
    if (!json) {
      fmt::print("{}\n", to_text(*experiment, answers.back().second));
      std::fflush(stdout);
    }
  }
  const std::string text = to_json(machine.value_or(capture::Machine{}), answers);
  std::ofstream file(dir / "lab.json");
  file << text;
  if (!file.flush()) return fail("write lab.json", "the file could not be written");
  if (json) fmt::print("{}", text);
  return Exit::done;
}

}  // namespace schedscope::lab
