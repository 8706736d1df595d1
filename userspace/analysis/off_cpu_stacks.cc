// SPDX-License-Identifier: GPL-2.0-only
//
// Where each thread went to sleep: its time off the CPU by the stacks that it left with, and of
// which sleeps they are missing, and why.
#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "analysis/frames.h"
#include "analysis/passes.h"
#include "schema/skipped.h"

namespace schedscope::analysis {
namespace {

constexpr std::size_t most_rows = 1 << 20;
constexpr std::size_t most_reported = 1000;  // of a thread

void add(OffCpuStack& row, const OffCpuStack& more) {
  row.count += more.count;
  row.ns += more.ns;
  row.max_ns = std::max(row.max_ns, more.max_ns);
}

class OffCpuStacks final : public Pass {
 public:
  using Pass::Pass;

  [[nodiscard]] std::uint64_t wants_records() const override {
    return kinds(SCHEDSCOPE_REC_STACK, SCHEDSCOPE_REC_FRAME, SCHEDSCOPE_REC_LOST);
  }
  void record(RecordView record) override {
    if (record.kind() == SCHEDSCOPE_REC_LOST) {
      report_.in_part |= record.as<schedscope_lost>().cause == lost_skipped;
      return;
    }
    any_ = true;
    if (record.kind() == SCHEDSCOPE_REC_FRAME) frames_.add(record.as<schedscope_frame>());
  }

  [[nodiscard]] unsigned wants_spans() const override {
    return states(timeline::State::sleep, timeline::State::block);
  }
  void span(const timeline::Span& span) override {
    const std::uint64_t ns = span.end_ns - span.begin_ns;
    const OffCpuStack one{.count = 1, .ns = ns, .max_ns = ns};
    if (span.stacks != nullptr) return add(row(span.thread, *span.stacks), one);
    const bool before = span.begin_cut || span.begin_ns <= setup().start_ns;
    Without& without = at(without_, span.thread);
    (before ? without.before : without.lost).add(1, ns);
  }

  void finish(Report& report) override;

 private:
  // Sleeps that have no stacks.
  struct Without {
    Sleeps before{}, lost{};
  };
  using Key = std::pair<timeline::ThreadIndex, timeline::Stacks>;
  struct Hash {
    std::size_t operator()(const Key& key) const {
      const auto& [thread, stacks] = key;
      const std::uint64_t numbers = std::uint64_t{stacks.kernel} << 32 | stacks.user;
      return std::hash<std::uint64_t>{}((numbers ^ thread) * 0x9e3779b97f4a7c15ULL);
    }
  };

  OffCpuStack& row(timeline::ThreadIndex thread, timeline::Stacks stacks) {
    const Key key(thread, stacks);
    if (rows_.size() >= most_rows && !rows_.contains(key)) return at(others_, thread);
    OffCpuStack& row = rows_[key];
    row.stacks = stacks;
    return row;
  }
  void count_missing(const OffCpuStack& row);
  static void sort_and_cut(std::vector<OffCpuStack>& rows, const OffCpuStack& others);

  bool any_ = false;
  StackReport report_;
  Frames frames_;
  std::unordered_map<Key, OffCpuStack, Hash> rows_;
  std::vector<Without> without_;     // by thread
  std::vector<OffCpuStack> others_;  // by thread: those that found no room
};

// Of the sleeps of a row: which of its stacks cannot be shown.
void OffCpuStacks::count_missing(const OffCpuStack& row) {
  const auto count = [&](std::uint32_t number, MissingStacks& missing) {
    switch (number) {
      case SCHEDSCOPE_STACK_NONE:
        return;
      case SCHEDSCOPE_STACK_GONE:
        return missing.gone.add(row.count, row.ns);
      case SCHEDSCOPE_STACK_NO_ROOM:
        return missing.no_room.add(row.count, row.ns);
      default:
        if (number > SCHEDSCOPE_STACK_LAST) return missing.unreadable.add(row.count, row.ns);
        if (report_.stacks.contains(number)) return;
        return (report_.in_part ? missing.unread : missing.untold).add(row.count, row.ns);
    }
  };
  count(row.stacks.kernel, report_.kernel);
  count(row.stacks.user, report_.user);
}

void OffCpuStacks::sort_and_cut(std::vector<OffCpuStack>& rows, const OffCpuStack& others) {
  std::ranges::sort(rows, [](const OffCpuStack& a, const OffCpuStack& b) {
    return std::tie(b.ns, b.count, a.stacks) < std::tie(a.ns, a.count, b.stacks);
  });
  OffCpuStack rest = others;
  for (; rows.size() > most_reported; rows.pop_back()) add(rest, rows.back());
  rest.others = true;
  if (rest.count != 0) rows.push_back(rest);
}

void OffCpuStacks::finish(Report& report) {
  if (!any_) return;
  frames_.finish(report_);
  others_.resize(report.threads.size());
  without_.resize(report.threads.size());
  for (const auto& [key, row] : rows_) {
    report.threads[key.first].off_cpu_stacks.push_back(row);
    report_.with.add(row.count, row.ns);
    count_missing(row);
  }
  for (std::size_t i = 0; i < others_.size(); ++i) {
    report_.with.add(others_[i].count, others_[i].ns);
    sort_and_cut(report.threads[i].off_cpu_stacks, others_[i]);
    // Stacks of those that are not selected are not taken.
    if (report.threads[i].who.bystander) continue;
    report_.before.add(without_[i].before.count, without_[i].before.ns);
    report_.lost.add(without_[i].lost.count, without_[i].lost.ns);
  }
  report.stacks = std::move(report_);
}

}  // namespace

std::unique_ptr<Pass> make_off_cpu_stacks(const Setup& setup) {
  return Pass::make<OffCpuStacks>(setup);
}

}  // namespace schedscope::analysis
