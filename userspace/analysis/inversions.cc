// SPDX-License-Identifier: GPL-2.0-only
//
// Priority inversion: a real-time thread sleeps until a thread of lower priority wakes it, and
// that one had to wait meanwhile because a thread of middle priority had taken its CPU. With
// priority inheritance the low one runs at the sleeper's priority and nobody in between takes it.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "analysis/passes.h"
#include "base/text.h"

namespace schedscope::analysis {
namespace {

constexpr std::uint64_t least_ns = 100'000;
constexpr std::size_t most_findings = 10;

class Inversions final : public Pass {
 public:
  using Pass::Pass;

  void slice(const timeline::Slice& slice) override {
    std::uint8_t& outranked = at(outranked_, slice.thread);
    outranked = slice.end == timeline::SliceEnd::outranked && slice.next != timeline::no_index;
    if (outranked == 0) return;
    Row& row = at(rows_, slice.thread);
    row.by = slice.next;
    row.by_prio = prio(slice.next);
    row.own_prio = prio(slice.thread);
  }

  void span(const timeline::Span& span) override {
    if (span.state == timeline::State::wait) {
      std::uint8_t& outranked = at(outranked_, span.thread);
      if (outranked == 0) return;
      outranked = 0;
      Row& row = rows_[span.thread];
      row.waits[row.count++ % row.waits.size()] = {.by = row.by,
                                                   .by_prio = row.by_prio,
                                                   .own_prio = row.own_prio,
                                                   .begin_ns = span.begin_ns,
                                                   .end_ns = span.end_ns};
      return;
    }
    // Only a sleep has a waker.
    if (span.waker != timeline::no_index && !span.end_cut && prio(span.thread) < 100)
      look_for(span);
  }

  void finish(Report& report) override;

 private:
  struct Wait {
    timeline::ThreadIndex by = timeline::no_index;
    int by_prio = 0, own_prio = 0;
    std::uint64_t begin_ns = 0, end_ns = 0;
  };
  struct Row {
    timeline::ThreadIndex by = timeline::no_index;
    int by_prio = 0, own_prio = 0;
    std::array<Wait, 4> waits{};  // the latest after it was outranked
    std::size_t count = 0;
  };
  struct Found {
    timeline::ThreadIndex high, middle, low;
    std::uint64_t at_ns, for_ns;
  };

  [[nodiscard]] int prio(timeline::ThreadIndex thread) const {
    return setup().timeline->threads()[thread].prio;
  }
  void look_for(const timeline::Span& sleep);

  std::vector<std::uint8_t> outranked_;  // its last slice ended so; apart: looked at for each wait
  std::vector<Row> rows_;
  std::vector<Found> found_;
};

void Inversions::look_for(const timeline::Span& sleep) {
  const int high = prio(sleep.thread);
  for (const Wait& wait : at(rows_, sleep.waker).waits) {
    const std::uint64_t begin = std::max(wait.begin_ns, sleep.begin_ns);
    const std::uint64_t end = std::min(wait.end_ns, sleep.end_ns);
    // Kernel priorities: lower is higher.
    const bool between = high < wait.by_prio && wait.by_prio < wait.own_prio;
    if (begin >= end || end - begin < least_ns || !between) continue;
    found_.push_back({sleep.thread, wait.by, sleep.waker, begin, end - begin});
  }
  // Only the longest are told of, so more need not be kept.
  if (found_.size() < 4 * most_findings) return;
  std::sort(found_.begin(), found_.end(),
            [](const Found& a, const Found& b) { return a.for_ns > b.for_ns; });
  found_.resize(most_findings);
}

void Inversions::finish(Report& report) {
  std::sort(found_.begin(), found_.end(),
            [](const Found& a, const Found& b) { return a.for_ns > b.for_ns; });
  found_.resize(std::min(found_.size(), most_findings));
  const auto name = [&](timeline::ThreadIndex thread) {
    const timeline::Thread& who = report.threads[thread].who;
    return fmt::format("{} ({})", printable(who.comm), who.tid);
  };
  for (const Found& f : found_) {
    report.findings.push_back(
        {.kind = "inversion",
         .text =
             fmt::format("Priority inversion: {} slept for {} until {}, of lower priority, woke "
                         "it, while {} kept that one off its CPU.",
                         name(f.high), human_ns(f.for_ns), name(f.low), name(f.middle)),
         .severity = Severity::warning,
         .thread = f.high,
         .at_ns = f.at_ns,
         .for_ns = f.for_ns});
  }
}

}  // namespace

std::unique_ptr<Pass> make_inversions(const Setup& setup) {
  return Pass::make<Inversions>(setup);
}

}  // namespace schedscope::analysis
