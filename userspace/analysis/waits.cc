// SPDX-License-Identifier: GPL-2.0-only
//
// How long each thread waited for a CPU each time.
#include "analysis/histogram.h"
#include "analysis/passes.h"

namespace schedscope::analysis {
namespace {

class Waits final : public Pass {
 public:
  using Pass::Pass;

  [[nodiscard]] unsigned wants_spans() const override { return states(timeline::State::wait); }
  void span(const timeline::Span& span) override {
    Row& row = at(rows_, span.thread);
    const std::uint64_t ns = span.end_ns - span.begin_ns;
    // One that is cut off was at least this long: it may be the longest, but has no place
    // among the whole ones.
    if (ns > row.longest_ns) {
      row.longest_ns = ns;
      row.longest_at_ns = span.begin_ns;
    }
    if (span.begin_cut || span.end_cut) return;
    row.lengths.add(ns);
  }

  void finish(Report& report) override {
    rows_.resize(report.threads.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      ThreadReport& thread = report.threads[i];
      thread.wait_p50_ns = rows_[i].lengths.percentile(500);
      thread.wait_p99_ns = rows_[i].lengths.percentile(990);
      thread.wait_max_ns = rows_[i].longest_ns;
      thread.wait_max_at_ns = rows_[i].longest_at_ns;
      thread.wait_hist = rows_[i].lengths.by_powers_of_two();
    }
  }

 private:
  struct Row {
    std::uint64_t longest_ns = 0, longest_at_ns = 0;
    LogLinear lengths;
  };
  std::vector<Row> rows_;
};

}  // namespace

std::unique_ptr<Pass> make_waits(const Setup& setup) {
  return Pass::make<Waits>(setup);
}

}  // namespace schedscope::analysis
