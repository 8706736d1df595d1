// SPDX-License-Identifier: GPL-2.0-only
//
// Where each thread's time went, and how its slices ended.
#include <array>
#include <numeric>

#include "analysis/histogram.h"
#include "analysis/passes.h"

namespace schedscope::analysis {
namespace {

class Times final : public Pass {
 public:
  using Pass::Pass;

  void slice(const timeline::Slice& slice) override {
    Row& row = at(rows_, slice.thread);
    const std::uint64_t ns = slice.end_ns - slice.begin_ns;
    row.state_ns[static_cast<std::size_t>(timeline::State::run)] += ns;
    ++row.ends[static_cast<std::size_t>(slice.end)];
    if (row.last_cpu != SCHEDSCOPE_CPU_NONE && row.last_cpu != slice.cpu) ++row.migrations;
    row.last_cpu = slice.cpu;
    if (ns > row.longest_ns) {
      row.longest_ns = ns;
      row.longest_at_ns = slice.begin_ns;
    }
    if (!slice.begin_cut && !slice.end_cut) row.lengths.add(ns);
  }

  void span(const timeline::Span& span) override {
    at(rows_, span.thread).state_ns[static_cast<std::size_t>(span.state)] +=
        span.end_ns - span.begin_ns;
  }

  void finish(Report& report) override {
    rows_.resize(report.threads.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const Row& row = rows_[i];
      ThreadReport& thread = report.threads[i];
      const auto of = [&](timeline::State s) { return row.state_ns[static_cast<std::size_t>(s)]; };
      thread.run_ns = of(timeline::State::run);
      thread.wait_ns = of(timeline::State::wait);
      thread.sleep_ns = of(timeline::State::sleep);
      thread.block_ns = of(timeline::State::block);
      thread.unknown_ns = of(timeline::State::unknown);
      thread.wall_ns = setup().clip(thread.who.gone_ns) - setup().clip(thread.who.born_ns);
      thread.slices = std::accumulate(row.ends.begin(), row.ends.end(), std::uint64_t{0});
      thread.ends.assign(row.ends.begin(), row.ends.end());
      thread.migrations = row.migrations;
      thread.slice_max_ns = row.longest_ns;
      thread.slice_max_at_ns = row.longest_at_ns;
      thread.slice_hist = row.lengths.counts();
    }
  }

 private:
  struct Row {
    std::array<std::uint64_t, timeline::state_count> state_ns{};
    std::array<std::uint64_t, timeline::slice_end_count> ends{};
    std::uint64_t migrations = 0;
    std::uint64_t longest_ns = 0, longest_at_ns = 0;
    std::uint16_t last_cpu = SCHEDSCOPE_CPU_NONE;
    Log2 lengths;
  };
  std::vector<Row> rows_;
};

}  // namespace

std::unique_ptr<Pass> make_times(const Setup& setup) {
  return Pass::make<Times>(setup);
}

}  // namespace schedscope::analysis
