// SPDX-License-Identifier: GPL-2.0-only
// Two threads of one process that only spin, on one CPU, one of nice 0 and one of nice 5: they
// share by the kernel's weights of these, whatever the rest of the machine leaves them.

#include <sys/resource.h>

#include <array>
#include <cmath>

#include <fmt/format.h>

#include "charged.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::array<const char*, 2> names = {"nice-0", "nice-5"};
constexpr std::array<int, 2> nices = {0, 5};
// sched_prio_to_weight[].
constexpr double ratio = 1024.0 / 335;
constexpr std::uint64_t length_ns = 4'000'000'000;

// As for fair-equal: a machine that is held up plays something else, by its own account.
constexpr double by_its_own_account = 0.02;
constexpr int attempts = 4;

struct Played {
  std::array<std::uint32_t, names.size()> tids{};
  std::uint64_t begin_ns = 0, end_ns = 0;
  std::array<std::uint64_t, names.size()> shares_ns{};  // as the kernel accounts for them

  [[nodiscard]] bool fair() const {
    const double seen = static_cast<double>(shares_ns[0]) / static_cast<double>(shares_ns[1]);
    return std::abs(seen / ratio - 1) <= by_its_own_account;
  }
};

Result<Played> spin(std::uint32_t cpu) {
  Played played;
  std::atomic<std::uint32_t> spinning{0};
  std::atomic<bool> stop{false};
  std::vector<Worker> workers;
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto worker = Worker::start(names[i], {.cpu = cpu}, [&, i] {
      played.tids[i] = this_tid();
      ::setpriority(PRIO_PROCESS, played.tids[i], nices[i]);
      spinning.fetch_add(1);
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
    if (!worker) {
      stop = true;
      return std::unexpected(worker.error());
    }
    workers.push_back(std::move(*worker));
  }
  while (spinning.load() < names.size()) sleep_until(now_ns() + 10'000'000);
  const std::array<std::uint64_t, 2> before = {workers[0].cpu_ns(), workers[1].cpu_ns()};
  played.begin_ns = now_ns();
  sleep_until(played.begin_ns + length_ns);
  played.end_ns = now_ns();
  for (std::size_t i = 0; i < names.size(); ++i) {
    played.shares_ns[i] = workers[i].cpu_ns() - before[i];
  }
  stop = true;
  return played;
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  for (int attempt = 1;; ++attempt) {
    const auto played = spin(cpu);
    if (!played) return std::unexpected(played.error());
    if (played->fair()) {
      return nlohmann::json{{"tids", played->tids},
                            {"attempt", attempt},
                            {"begin_ns", played->begin_ns},
                            {"end_ns", played->end_ns}};
    }
    if (attempt < attempts) continue;
    return fail(
        "play two spinners of unequal weight",
        fmt::format("{} times the kernel did not share by weight, the last time {} and {} ns",
                    attempts, played->shares_ns[0], played->shares_ns[1]),
        "run on a machine that is less busy");
  }
}

void judge(const Trial& trial, Verdict& verdict) {
  const auto report = trial.report_of(trial.told.at("begin_ns"), trial.told.at("end_ns"));
  if (!report) return verdict.holds(report.error().message(), false);
  std::array<const analysis::ThreadReport*, names.size()> spinners{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string name = names[i];
    spinners[i] = find_thread(*report, trial.told.at("tids").at(i));
    verdict.holds(name + ": is in the report, once", spinners[i] != nullptr);
    if (spinners[i] == nullptr) return;
    verdict.equal(name + ": asleep ns", spinners[i]->sleep_ns + spinners[i]->block_ns,
                  std::uint64_t{0});
    verdict.equal(name + ": unknown ns", spinners[i]->unknown_ns, std::uint64_t{0});
    // What it is now, the switches tell of.
    verdict.equal(name + ": kernel priority", spinners[i]->who.prio, 120 + nices[i]);
  }
  const auto charged = [&](std::size_t i) {
    return charged_ns(trial, *spinners[i], trial.told.at("begin_ns"), trial.told.at("end_ns"));
  };
  verdict.note(fmt::format("run ns: {}, {}", spinners[0]->run_ns, spinners[1]->run_ns));
  verdict.within("nice-0: charged ns, by nice-5's", charged(0), charged(1) * ratio, 0.03);
  verdict.note(fmt::format("attempt {}", trial.told.at("attempt").get<int>()));
}

}  // namespace

extern const Schedule fair_weight;
const Schedule fair_weight{
    .name = "fair-weight",
    .answer = "nice 0 against nice 5: 1024 : 335 within 3 %",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
