// SPDX-License-Identifier: GPL-2.0-only
//
// Who ended each thread's sleeps.
#include "analysis/passes.h"
#include "analysis/peers.h"

namespace schedscope::analysis {
namespace {

class Wakers final : public Pass {
 public:
  using Pass::Pass;

  [[nodiscard]] unsigned wants_spans() const override {
    return states(timeline::State::sleep, timeline::State::block);
  }
  void span(const timeline::Span& span) override {
    if (span.end_cut) return;
    Row& row = at(rows_, span.thread);
    ++row.wakeups;
    const timeline::ThreadIndex who = span.waker_timer                   ? Peers::timer
                                      : span.waker == timeline::no_index ? Peers::idle
                                                                         : span.waker;
    row.peers.count(who) += span.end_ns - span.begin_ns;
  }

  void finish(Report& report) override {
    rows_.resize(report.threads.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      report.threads[i].wakeups = rows_[i].wakeups;
      report.threads[i].woken_by =
          rows_[i].peers.list(setup().timeline->threads(), Peers::By::count);
      rows_[i] = {};  // its memory is for the lists to come
    }
  }

 private:
  struct Row {
    std::uint64_t wakeups = 0;
    Peers peers;
  };
  std::vector<Row> rows_;
};

}  // namespace

std::unique_ptr<Pass> make_wakers(const Setup& setup) {
  return Pass::make<Wakers>(setup);
}

}  // namespace schedscope::analysis
