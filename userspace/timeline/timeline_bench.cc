// SPDX-License-Identifier: GPL-2.0-only
//
// Records a second through the timeline alone, and through timeline and analysis.
#include <benchmark/benchmark.h>

#include <random>

#include "analysis/analysis.h"
#include "timeline/testing.h"

namespace schedscope {
namespace {

// Threads that pass work to each other on some CPUs: a waking for every two switches.
const timeline::testing::Script& script(std::uint32_t threads) {
  static std::map<std::uint32_t, timeline::testing::Script> scripts;
  auto& s = scripts[threads];
  if (s.size() != 0) return s;
  std::mt19937 rng(1);
  constexpr std::uint16_t cpus = 4;
  for (std::uint32_t i = 0; i < threads; ++i) {
    s.task(1, 100 + i, SCHEDSCOPE_TASK_BEGIN, 1);
    s.set_number(100 + i, 0);
  }
  std::vector<std::uint32_t> on(cpus);
  std::uint64_t t = 10;
  for (int i = 0; i < 300'000; ++i) {
    t += 1 + rng() % 2000;
    const auto cpu = static_cast<std::uint16_t>(rng() % cpus);
    // Each CPU has threads of its own, so that nobody runs twice.
    const auto next = static_cast<std::uint32_t>(100 + (rng() % (threads / cpus)) * cpus + cpu);
    if (next == on[cpu]) continue;
    s.wake(t, next, on[cpu]).rec.cpu = cpu;
    s.to(t + 1, cpu, next);
    t += 1 + rng() % 2000;
    s.to(t, cpu, 0);
  }
  return s;
}

std::uint64_t switches_of(const timeline::testing::Script& s) {
  std::uint64_t switches = 0;
  for (std::size_t i = 0; i < s.size(); ++i) switches += s[i].kind() == SCHEDSCOPE_REC_SWITCH;
  return switches;
}

// As a capture is read: records one behind the other, not each in a place of its own.
std::vector<std::uint64_t> flat(const timeline::testing::Script& s) {
  std::vector<std::uint64_t> bytes;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const auto* words = reinterpret_cast<const std::uint64_t*>(&s[i].header());
    bytes.insert(bytes.end(), words, words + s[i].header().size / 8);
  }
  return bytes;
}

template <typename Take>
void each(const std::vector<std::uint64_t>& bytes, const Take& take) {
  for (std::size_t at = 0; at < bytes.size();) {
    const RecordView record(reinterpret_cast<const schedscope_rec*>(&bytes[at]));
    take(record);
    at += record.header().size / 8;
  }
}

void timeline_alone(benchmark::State& state) {
  const auto& s = script(static_cast<std::uint32_t>(state.range(0)));
  const auto bytes = flat(s);
  for (auto _ : state) {
    timeline::Sink nothing;
    timeline::Timeline timeline(0, 4, std::vector<timeline::Sink*>{&nothing});
    each(bytes, [&](RecordView record) { timeline.add(record); });
    timeline.finish(~0ULL >> 1);
    benchmark::DoNotOptimize(timeline.discontinuities());
  }
  state.counters["switches/s"] = benchmark::Counter(
      static_cast<double>(switches_of(s)) * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
}
BENCHMARK(timeline_alone)->Arg(40)->Arg(400)->Arg(4000);

void timeline_and_analysis(benchmark::State& state) {
  const auto& s = script(static_cast<std::uint32_t>(state.range(0)));
  const auto bytes = flat(s);
  capture::Machine machine;
  machine.cpus = 4;
  for (auto _ : state) {
    analysis::Analysis analysis(machine, {});
    each(bytes, [&](RecordView record) { analysis.add(record); });
    benchmark::DoNotOptimize(analysis.finish(~0ULL >> 1));
  }
  state.counters["switches/s"] = benchmark::Counter(
      static_cast<double>(switches_of(s)) * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
}
BENCHMARK(timeline_and_analysis)->Arg(40)->Arg(400)->Arg(4000);

}  // namespace
}  // namespace schedscope

BENCHMARK_MAIN();
