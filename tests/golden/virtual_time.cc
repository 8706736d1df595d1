// SPDX-License-Identifier: GPL-2.0-only
// Two fair threads of equal weight on one CPU, one of which asks for slices of its own: what the
// kernel says of them in /proc while they sleep, what its theorem says of their lag, and what they
// ran, against the virtual times at each switch.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <sstream>

#include <fmt/format.h>

#include "base/file.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::array<const char*, 2> names = {"equal", "own-slice"};
constexpr std::uint64_t length_ns = 1'000'000'000;
constexpr std::uint64_t own_slice_ns = 6'000'000;
constexpr std::uint64_t nice_0_weight = 1 << 20;

// A value of /proc/PID/sched; nothing where this kernel has none. Times are ms with six digits.
std::optional<std::uint64_t> sched_value(std::uint32_t tid, std::string_view name, bool is_ms) {
  std::istringstream lines(read_text(fmt::format("/proc/self/task/{}/sched", tid)).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    std::string key, colon, value;
    std::istringstream(line) >> key >> colon >> value;
    if (key != name) continue;
    if (is_ms) std::erase(value, '.');
    return std::strtoull(value.c_str(), nullptr, 10);
  }
  return std::nullopt;
}

struct Spinner {
  std::uint32_t tid = 0;
  std::uint64_t cpu_ns = 0;
  int refused = 0;  // its own slice
};

nlohmann::json told_of(const Spinner& spinner) {
  nlohmann::json told = {{"tid", spinner.tid},
                         {"cpu_ns", spinner.cpu_ns},
                         {"refused", spinner.refused},
                         {"read_ns", now_ns()}};
  if (const auto v = sched_value(spinner.tid, "se.vruntime", true)) told["vruntime"] = *v;
  if (const auto ns = sched_value(spinner.tid, "se.slice", false)) told["slice_ns"] = *ns;
  return told;
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  std::array<Spinner, names.size()> spinners;
  std::array<Futex, names.size()> end;
  std::atomic<std::uint32_t> there{0}, done{0};
  std::vector<Worker> workers;
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto worker = Worker::start(names[i], {.cpu = cpu}, [&, i] {
      spinners[i].tid = this_tid();
      if (i == 1) spinners[i].refused = set_attributes({.runtime_ns = own_slice_ns});
      there.fetch_add(1);
      while (there.load() < names.size()) {
      }
      const std::uint64_t before_ns = thread_cpu_ns();
      while (thread_cpu_ns() - before_ns < length_ns / 2) {
      }
      spinners[i].cpu_ns = thread_cpu_ns();
      done.fetch_add(1);
      end[i].wait_while(0);
    });
    if (!worker) {
      there = names.size();
      for (Futex& futex : end) futex.set(1);
      return std::unexpected(worker.error());
    }
    workers.push_back(std::move(*worker));
  }
  while (done.load() < names.size()) sleep_until(now_ns() + 10'000'000);
  sleep_until(now_ns() + 50'000'000);  // asleep by then
  nlohmann::json told;
  for (const Spinner& spinner : spinners) told["spinners"].push_back(told_of(spinner));
  for (Futex& futex : end) futex.set(1);
  return told;
}

using Records = std::vector<schedscope_eevdf>;

Records records_of(const Trial& trial, std::uint32_t tid) {
  Records records;
  for (const auto& record : trial.trace.eevdf()) {
    if (record.tid == tid && record.rec.cpu == trial.cpu) records.push_back(record);
  }
  return records;
}

bool is(const schedscope_eevdf& record, unsigned flag) {
  return (record.rec.flags & flag) != 0;
}

// While it was on the CPU; a wakeup may put it somewhere else.
void judge_progress(const std::string& who, const Records& records, std::uint64_t cpu_ns,
                    Verdict& verdict) {
  std::uint64_t backwards = 0, stays = 0;
  double ran_ns = 0;
  for (std::size_t i = 1; i < records.size(); ++i) {
    const schedscope_eevdf &in = records[i - 1], &out = records[i];
    if (!is(in, SCHEDSCOPE_EEVDF_IN) || is(out, SCHEDSCOPE_EEVDF_IN)) continue;
    const auto gone = static_cast<std::int64_t>(out.vruntime - in.vruntime);
    backwards += gone < 0 ? 1 : 0;
    ran_ns += static_cast<double>(gone) * out.weight / nice_0_weight;
    ++stays;
  }
  verdict.at_least(who + ": stays with both ends", stays, std::uint64_t{20});
  verdict.equal(who + ": stays in which its vruntime went back", backwards, std::uint64_t{0});
  verdict.within(who + ": what it ran, by its vruntime and weight", ran_ns,
                 static_cast<double>(cpu_ns), 0.05);
}

// EEVDF's theorem: no more than a request and what the tick adds, here what it was given at most.
void judge_lag(const std::string& who, const Records& records, std::uint64_t bound_ns,
               Verdict& verdict) {
  std::uint64_t most_ns = 0, lags = 0, not_eligible = 0;
  for (const auto& record : records) {
    if (!is(record, SCHEDSCOPE_EEVDF_LAG)) continue;
    most_ns = std::max(most_ns, static_cast<std::uint64_t>(std::abs(record.lag)));
    not_eligible += is(record, SCHEDSCOPE_EEVDF_IN) && record.lag < 0 ? 1 : 0;
    ++lags;
  }
  verdict.at_least(who + ": lags", lags, std::uint64_t{20});
  verdict.at_most(who + ": its largest lag", most_ns, bound_ns);
  verdict.at_most(who + ": times it was chosen and not eligible", not_eligible, lags / 20);
}

// Two that are alone in their queue, of equal weight: what the one is owed the other has too much.
void judge_balance(const Trial& trial, Verdict& verdict) {
  const auto& told = trial.told.at("spinners");
  const std::uint32_t first = told.at(0).at("tid"), second = told.at(1).at("tid");
  std::uint64_t pairs = 0, balanced = 0;
  const auto& all = trial.trace.eevdf();
  for (std::size_t i = 1; i < all.size(); ++i) {
    const schedscope_eevdf &out = all[i - 1], &in = all[i];
    const bool both =
        (out.tid == first && in.tid == second) || (out.tid == second && in.tid == first);
    if (!both || out.rec.time_ns != in.rec.time_ns || is(out, SCHEDSCOPE_EEVDF_OFF_QUEUE) ||
        is(out, SCHEDSCOPE_EEVDF_DELAYED)) {
      continue;
    }
    ++pairs;
    balanced += std::abs(out.lag + in.lag) <= 2 && in.lag != 0 ? 1 : 0;
  }
  verdict.at_least("switches from the one to the other", pairs, std::uint64_t{10});
  verdict.at_least("of them, with lags that add up to 0", balanced, pairs / 2);
}

void judge_slice(const std::string& who, const Records& records, const nlohmann::json& told,
                 bool own, Verdict& verdict) {
  const auto last = std::ranges::find_if(records.rbegin(), records.rend(), [](const auto& record) {
    return is(record, SCHEDSCOPE_EEVDF_DEADLINE);
  });
  verdict.holds(who + ": has a deadline", last != records.rend());
  if (last == records.rend()) return;
  if (told.contains("slice_ns")) {
    verdict.equal(who + ": slice, by /proc", std::uint64_t{last->slice_ns},
                  told.at("slice_ns").get<std::uint64_t>());
  }
  verdict.equal(who + ": has a slice of its own", is(*last, SCHEDSCOPE_EEVDF_CUSTOM), own);
  if (own) verdict.equal(who + ": slice", std::uint64_t{last->slice_ns}, own_slice_ns);
}

void judge_one(const Trial& trial, std::size_t i, Verdict& verdict) {
  const std::string who = names.at(i);
  const auto& told = trial.told.at("spinners").at(i);
  const auto* thread = find_thread(trial.report, told.at("tid"));
  verdict.holds(who + ": is in the report, as a fair thread",
                thread != nullptr && thread->eevdf.has_value());
  if (thread == nullptr || !thread->eevdf) return;
  Records records = records_of(trial, told.at("tid"));
  std::erase_if(records, [&](const auto& record) {
    return record.rec.time_ns > told.at("read_ns").get<std::uint64_t>();
  });
  verdict.holds(who + ": is asleep in the end",
                !records.empty() && !is(records.back(), SCHEDSCOPE_EEVDF_IN));
  if (records.empty()) return;
  if (told.contains("vruntime")) {
    verdict.equal(who + ": vruntime, by /proc", std::uint64_t{records.back().vruntime},
                  told.at("vruntime").get<std::uint64_t>());
  }
  judge_progress(who, records, told.at("cpu_ns"), verdict);
  const bool cfs = trial.report.machine.scheduler != "eevdf";
  if (cfs)
    return verdict.equal(who + ": lags of CFS", thread->eevdf->lag_out.count, std::uint64_t{0});
  const bool can_own =
      told.contains("slice_ns") && told.at("slice_ns").get<std::uint64_t>() == own_slice_ns;
  judge_slice(who, records, told, i == 1 && can_own, verdict);
  std::uint64_t longest_ns = 0;
  for (const auto& other : trial.report.threads) {
    if (other.eevdf) longest_ns = std::max(longest_ns, other.slice_max_ns);
  }
  judge_lag(who, records, own_slice_ns + tick_ns(trial.report) + longest_ns, verdict);
  verdict.at_least(who + ": requests that were used up", thread->eevdf->past_deadline,
                   std::uint64_t{10});
}

void judge(const Trial& trial, Verdict& verdict) {
  if (trial.report.machine.extras.empty()) return;  // the module does not tell of it
  for (std::size_t i = 0; i < names.size(); ++i) judge_one(trial, i, verdict);
  if (trial.report.machine.scheduler == "eevdf") judge_balance(trial, verdict);
}

}  // namespace

extern const Schedule virtual_time;
const Schedule virtual_time{
    .name = "virtual-time",
    .answer = "vruntime and slice as /proc says them; lags within a request; a slice of its own",
    .workload = play,
    .judge = judge,
    .eevdf = true,
};

}  // namespace schedscope::golden
