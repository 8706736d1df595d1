// SPDX-License-Identifier: GPL-2.0-only
//
// What kept each thread off the CPU: its sleeps, by state, system call and what ended them.
#include <algorithm>
#include <tuple>

#include "analysis/passes.h"

namespace schedscope::analysis {
namespace {

constexpr std::size_t most_kinds = 64;

void add(OffCpu& row, const OffCpu& more) {
  row.count += more.count;
  row.ns += more.ns;
  row.max_ns = std::max(row.max_ns, more.max_ns);
}

class OffCpus final : public Pass {
 public:
  using Pass::Pass;

  [[nodiscard]] unsigned wants_spans() const override {
    return states(timeline::State::sleep, timeline::State::block);
  }
  void span(const timeline::Span& span) override {
    const std::uint64_t ns = span.end_ns - span.begin_ns;
    OffCpu& row = find(at(rows_, span.thread), span.state, span.syscall, waker_of(span));
    add(row, {.count = 1, .ns = ns, .max_ns = ns});
    known_ = known_ || span.syscall != timeline::Syscall{};
  }

  void finish(Report& report) override {
    report.syscalls_known = known_;
    rows_.resize(report.threads.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      std::sort(rows_[i].begin(), rows_[i].end(), [](const OffCpu& a, const OffCpu& b) {
        return std::tie(b.ns, b.count, a.syscall.number) <
               std::tie(a.ns, a.count, b.syscall.number);
      });
      report.threads[i].off_cpu = std::move(rows_[i]);
    }
  }

 private:
  // The row of a kind. When there is no room the smallest makes it, and goes to the others.
  static OffCpu& find(std::vector<OffCpu>& rows, timeline::State state, timeline::Syscall syscall,
                      WakerKind waker) {
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const OffCpu& row) {
      return row.syscall == syscall && row.state == state && row.waker == waker && !row.others;
    });
    if (found != rows.end()) return *found;
    if (rows.size() >= most_kinds) {
      if (!rows.front().others) rows.insert(rows.begin(), OffCpu{.others = true});
      const auto least =
          std::min_element(rows.begin() + 1, rows.end(),
                           [](const OffCpu& a, const OffCpu& b) { return a.ns < b.ns; });
      add(rows.front(), *least);
      rows.erase(least);
    }
    return rows.emplace_back(OffCpu{.state = state, .syscall = syscall, .waker = waker});
  }

  std::vector<std::vector<OffCpu>> rows_;
  bool known_ = false;
};

}  // namespace

std::unique_ptr<Pass> make_off_cpu(const Setup& setup) {
  return Pass::make<OffCpus>(setup);
}

}  // namespace schedscope::analysis
