// SPDX-License-Identifier: GPL-2.0-only
// Golden schedules: what is known to have happened, held against what the tracer says.

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "schedule.h"
#include "trial.h"

namespace schedscope::golden {
namespace {

constexpr std::string_view usage =
    "usage: golden list\n"
    "       golden run [-v] [-w WITNESS] [-o DIR] [NAME...]   all without a NAME; TAP on stdout\n"
    "                                   -v: every number, of those that pass too\n"
    "                                   -w: bpf (if not said), module, both\n"
    "                                   -o: captures are kept there, as NAME.schedscope\n"
    "Needs what `schedscope record` needs. Exit status: 0 all passed or skipped, 1 not, 2 usage.\n";

const Schedule* find(std::string_view name) {
  for (const Schedule* schedule : schedules()) {
    if (schedule->name == name) return schedule;
  }
  return nullptr;
}

std::optional<collect::Witnesses> find_witnesses(std::string_view name) {
  for (const auto& [known, witnesses] : collect::witness_names) {
    if (known == name) return witnesses;
  }
  return std::nullopt;
}

int wrong_usage(std::string_view what) {
  fmt::print(stderr, "golden: {}\n{}", what, usage);
  return static_cast<int>(Exit::usage);
}

int list() {
  for (const Schedule* schedule : schedules()) {
    fmt::print("{:<16} {}\n", schedule->name, schedule->answer);
  }
  return 0;
}

// One TAP point; whether it passed.
bool run_one(std::size_t number, const Schedule& schedule, const Wish& wish) {
  const auto verdict = try_schedule(schedule, wish);
  const bool skipped = verdict && !verdict->skip_reason().empty();
  const bool ok = skipped || (verdict && verdict->ok());
  std::string why;
  if (skipped) why = " # SKIP " + verdict->skip_reason();
  if (!ok && verdict) why = " # " + verdict->first_wrong();
  fmt::print("{}ok {} - {} by {}{}\n", ok ? "" : "not ", number, schedule.name, wish.witness_name(),
             why);
  if (!verdict) fmt::print("# {}\n", verdict.error().message());
  if (!ok || (verdict && !verdict->ok())) fmt::print("# the answer: {}\n", schedule.answer);
  // What is wrong in a schedule that is skipped is said too.
  if (verdict && (!verdict->ok() || wish.verbose)) fmt::print("{}", verdict->text("# "));
  std::fflush(stdout);
  return ok;
}

int run(const std::vector<std::string_view>& arguments) {
  Wish wish;
  std::vector<const Schedule*> chosen;
  for (auto at = arguments.begin(); at != arguments.end(); ++at) {
    const std::string_view argument = *at;
    if (argument == "-v") {
      wish.verbose = true;
    } else if (argument == "-w" && at + 1 != arguments.end()) {
      const auto witnesses = find_witnesses(*++at);
      if (!witnesses) return wrong_usage(fmt::format("no witness is called '{}'", *at));
      wish.witnesses = *witnesses;
    } else if (argument == "-o" && at + 1 != arguments.end()) {
      wish.keep = *++at;
    } else if (const Schedule* schedule = find(argument)) {
      chosen.push_back(schedule);
    } else {
      return wrong_usage(fmt::format("no schedule is called '{}'", argument));
    }
  }
  if (chosen.empty()) chosen.assign(schedules().begin(), schedules().end());
  fmt::print("1..{}\n", chosen.size());
  bool all_ok = true;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    all_ok = run_one(i + 1, *chosen[i], wish) && all_ok;
  }
  return all_ok ? 0 : 1;
}

// The recorded side, in a process of its own.
int workload(const std::vector<std::string_view>& arguments) {
  const Schedule* schedule = arguments.size() == 2 ? find(arguments[0]) : nullptr;
  std::uint32_t cpu = 0;
  if (schedule == nullptr ||
      std::from_chars(arguments[1].begin(), arguments[1].end(), cpu).ec != std::errc()) {
    return wrong_usage("workload takes a NAME and a CPU");
  }
  // A page that has to be fetched first would be a sleep that no schedule asked for.
  ::mlockall(MCL_CURRENT | MCL_FUTURE);
  // The kernel's thread that makes huge pages would take pages away for a moment all the same.
  ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  // Its real-time threads are nobody's when golden is killed.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto told = schedule->workload(cpu);
  if (!told) told = nlohmann::json{{"cannot", told.error().message()}};
  fmt::print("{}\n", told->dump());
  return 0;
}

int main(const std::vector<std::string_view>& arguments) {
  if (arguments.empty()) return wrong_usage("what is to be done?");
  const std::vector<std::string_view> rest(arguments.begin() + 1, arguments.end());
  if (arguments[0] == "list" && rest.empty()) return list();
  if (arguments[0] == "run") return run(rest);
  if (arguments[0] == "workload") return workload(rest);
  return wrong_usage(fmt::format("what is '{}'?", arguments[0]));
}

}  // namespace
}  // namespace schedscope::golden

int main(int argc, char** argv) {
  return schedscope::golden::main({argv + 1, argv + argc});
}
