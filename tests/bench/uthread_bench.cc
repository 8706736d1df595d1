// SPDX-License-Identifier: GPL-2.0-only
// What it costs a fiber runtime to be seen: a Boost.Fiber yield, plain and observed, and one
// record alone.
#include <benchmark/benchmark.h>

#include <boost/fiber/all.hpp>
#include <thread>

#include "schedscope/boost_fiber.hpp"

namespace {

namespace fibers = boost::fibers;

// Time of a switch: two fibers that yield, and the dispatcher between them, so three a round.
template <typename Algo>
void yields(benchmark::State& state) {
  std::thread([&] {
    fibers::use_scheduling_algorithm<Algo>();
    bool stop = false;
    fibers::fiber other([&] {
      while (!stop) boost::this_fiber::yield();
    });
    for (auto _ : state) boost::this_fiber::yield();
    stop = true;
    other.join();
  }).join();
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * 3);
}

void plain_yield(benchmark::State& state) {
  yields<fibers::algo::round_robin>(state);
}
void observed_yield(benchmark::State& state) {
  yields<schedscope::observed<fibers::algo::round_robin>>(state);
}

void one_record(benchmark::State& state) {
  std::uint64_t id = 0;
  for (auto _ : state) schedscope_uthread_switch(++id & 0xff);
}

void one_time_stamp(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(schedscope_uthread_stamp_());
}

BENCHMARK(plain_yield);
BENCHMARK(observed_yield);
BENCHMARK(one_record);
BENCHMARK(one_time_stamp);

}  // namespace

BENCHMARK_MAIN();
