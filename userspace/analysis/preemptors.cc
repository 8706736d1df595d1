// SPDX-License-Identifier: GPL-2.0-only
//
// Who took the CPU from a thread that could have gone on, and how long it then waited.
#include "analysis/passes.h"
#include "analysis/peers.h"

namespace schedscope::analysis {
namespace {

class Preemptors final : public Pass {
 public:
  using Pass::Pass;

  void slice(const timeline::Slice& slice) override {
    std::uint8_t& pending = at(pending_, slice.thread);
    pending = 0;
    if (slice.end_cut) return;
    switch (slice.end) {
      case timeline::SliceEnd::preempted:
      case timeline::SliceEnd::outranked:
      case timeline::SliceEnd::unknown:
        break;
      default:
        return;
    }
    const timeline::ThreadIndex who = slice.by != timeline::no_index ? slice.by : slice.next;
    if (who == timeline::no_index) return;
    pending = 1;
    Row& row = at(rows_, slice.thread);
    row.who = who;
    row.since = slice.end_ns;
  }

  // Counted with the wait that follows, since an unknown end is a preemption only then.
  void span(const timeline::Span& span) override {
    std::uint8_t& pending = at(pending_, span.thread);
    if (pending == 0) return;
    pending = 0;
    Row& row = rows_[span.thread];
    if (span.state != timeline::State::wait || span.begin_ns != row.since) return;
    row.peers.count(row.who) += span.end_ns - span.begin_ns;
  }

  void finish(Report& report) override {
    rows_.resize(report.threads.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      report.threads[i].preempted_by =
          rows_[i].peers.list(setup().timeline->threads(), Peers::By::time);
      rows_[i] = {};  // its memory is for the lists to come
    }
  }

 private:
  struct Row {
    timeline::ThreadIndex who = timeline::no_index;
    std::uint64_t since = 0;
    Peers peers;
  };
  std::vector<std::uint8_t> pending_;  // apart from the rest: looked at for each span
  std::vector<Row> rows_;
};

}  // namespace

std::unique_ptr<Pass> make_preemptors(const Setup& setup) {
  return Pass::make<Preemptors>(setup);
}

}  // namespace schedscope::analysis
