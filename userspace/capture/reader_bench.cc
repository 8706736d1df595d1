// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include <filesystem>
#include <string>

#include <benchmark/benchmark.h>

#include "capture/reader.h"
#include "capture/synthetic.h"
#include "capture/writer.h"

// What a capture costs to write and to read back, a record, and on disk, a switch with the
// wakeup before it.
namespace schedscope::capture {
namespace {

constexpr std::uint64_t switches = 1'000'000;

std::filesystem::path scratch() {
  return std::filesystem::temp_directory_path() /
         ("schedscope-bench-" + std::to_string(::getpid()));
}

template <typename Workload>
std::uint64_t record(std::uint16_t cpus) {
  auto writer = Writer::create(scratch(), Machine{});
  synthetic::fill<Workload>(*writer, cpus, switches, 50'000);
  [[maybe_unused]] const auto finished = writer->finish(Machine{}, 0);
  return writer->file_bytes();
}

template <typename Workload>
void read(benchmark::State& state) {
  const std::uint64_t bytes = record<Workload>(static_cast<std::uint16_t>(state.range(0)));
  std::int64_t records = 0;
  for (auto _ : state) {
    auto reader = Reader::open(scratch());
    while (const auto next = reader->next()) {
      benchmark::DoNotOptimize(next->time_ns());
      ++records;
    }
  }
  std::filesystem::remove(scratch());
  state.SetItemsProcessed(records);
  state.counters["bytes/switch"] = static_cast<double>(bytes) / static_cast<double>(switches);
}
BENCHMARK(read<synthetic::PingPong>)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond);
BENCHMARK(read<synthetic::Mixed>)->Arg(1)->Arg(2)->Arg(16)->Unit(benchmark::kMillisecond);

// Both include making the records up; the difference is the writer's.
template <typename Workload>
void write(benchmark::State& state) {
  for (auto _ : state) record<Workload>(2);
  std::filesystem::remove(scratch());
  state.SetItemsProcessed(state.iterations() * std::int64_t{2 * switches});
}
BENCHMARK(write<synthetic::PingPong>)->Unit(benchmark::kMillisecond);
BENCHMARK(write<synthetic::Mixed>)->Unit(benchmark::kMillisecond);

// Nothing but making them up and adding them.
template <typename Workload>
void add(benchmark::State& state) {
  for (auto _ : state) {
    auto writer = Writer::create(scratch(), Machine{});
    synthetic::fill<Workload>(*writer, 2, switches, ~0ULL);
    benchmark::DoNotOptimize(writer->pending_records());
  }
  std::filesystem::remove(scratch());
  state.SetItemsProcessed(state.iterations() * std::int64_t{2 * switches});
}
BENCHMARK(add<synthetic::PingPong>)->Unit(benchmark::kMillisecond);
BENCHMARK(add<synthetic::Mixed>)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace schedscope::capture

BENCHMARK_MAIN();
