// SPDX-License-Identifier: GPL-2.0-only
//
// Where fair threads stood as they took a CPU and left it, by the scheduler's own virtual times.
#include <algorithm>
#include <cstdlib>

#include "analysis/histogram.h"
#include "analysis/passes.h"

namespace schedscope::analysis {
namespace {

// Virtual times wrap around; what is compared is near each other.
std::int64_t difference(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::int64_t>(a - b);
}

class Lags {
 public:
  void add(std::int64_t lag) {
    const auto size = static_cast<std::uint64_t>(lag);
    sizes_.add(lag < 0 ? 0 - size : size);
    least_ = std::min(least_, lag);
    most_ = std::max(most_, lag);
  }
  [[nodiscard]] LagReport report() const {
    if (sizes_.count() == 0) return {};
    return {.count = sizes_.count(),
            .p50_ns = sizes_.percentile(500),
            .p99_ns = sizes_.percentile(990),
            .least_ns = least_,
            .most_ns = most_};
  }

 private:
  LogLinear sizes_;
  std::int64_t least_ = INT64_MAX, most_ = INT64_MIN;
};

class Eevdf final : public Pass {
 public:
  using Pass::Pass;

  [[nodiscard]] std::uint64_t wants_records() const override {
    return kinds(SCHEDSCOPE_REC_EEVDF, SCHEDSCOPE_REC_LOST, SCHEDSCOPE_REC_SWITCH);
  }
  void record(RecordView record) override {
    if (record.kind() == SCHEDSCOPE_REC_LOST) {
      ++gaps_;  // who was on a CPU before may have left it and come back
      return;
    }
    if (record.kind() == SCHEDSCOPE_REC_SWITCH) {
      // One that has left its class meanwhile does not say how it leaves the CPU.
      if (!record.second()) left(record.as<schedscope_switch>().prev_tid);
      return;
    }
    const auto& told = record.as<schedscope_eevdf>();
    const timeline::ThreadIndex thread = setup().timeline->find(told.tid);
    if (thread == timeline::no_index) return;  // its first record: it is not known yet
    const std::uint64_t t = record.time_ns();
    Row& row = at(rows_, thread);
    const bool inside = t >= setup().from_ns && t <= setup().to_ns;
    if (inside) request(row, told);
    if ((record.flags() & SCHEDSCOPE_EEVDF_IN) != 0) {
      if (inside) comes(row, told);
      row.on_cpu = inside;
      row.came = told;
      row.gaps = gaps_;
    } else {
      if (inside) leaves(row, told);
      row.on_cpu = false;
    }
  }

  void finish(Report& report) override {
    rows_.resize(report.threads.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      Row& row = rows_[i];
      if (!row.told) continue;
      row.sums.lag_in = row.in.report();
      row.sums.lag_out = row.out.report();
      report.threads[i].eevdf = row.sums;
    }
  }

 private:
  struct Row {
    EevdfReport sums;
    Lags in, out;
    schedscope_eevdf came{};
    std::uint64_t gaps = 0;  // as it came
    bool told = false, on_cpu = false;
  };

  void left(std::uint32_t tid) {
    const timeline::ThreadIndex thread = setup().timeline->find(tid);
    if (thread < rows_.size()) rows_[thread].on_cpu = false;
  }

  static void request(Row& row, const schedscope_eevdf& told) {
    row.told = true;
    if ((told.rec.flags & SCHEDSCOPE_EEVDF_DEADLINE) == 0) return;
    const std::uint64_t ns = told.slice_ns;
    row.sums.slice_max_ns = std::max(row.sums.slice_max_ns, ns);
    row.sums.slice_min_ns = row.sums.slice_min_ns == 0 ? ns : std::min(row.sums.slice_min_ns, ns);
    row.sums.custom_slice = (told.rec.flags & SCHEDSCOPE_EEVDF_CUSTOM) != 0;
  }

  static void comes(Row& row, const schedscope_eevdf& told) {
    if ((told.rec.flags & SCHEDSCOPE_EEVDF_LAG) != 0) row.in.add(told.lag);
  }

  void leaves(Row& row, const schedscope_eevdf& told) const {
    const auto is = [&](unsigned flag) { return (told.rec.flags & flag) != 0; };
    if (is(SCHEDSCOPE_EEVDF_LAG)) row.out.add(told.lag);
    if (is(SCHEDSCOPE_EEVDF_DELAYED)) ++row.sums.delayed;
    const bool runnable = !is(SCHEDSCOPE_EEVDF_DELAYED | SCHEDSCOPE_EEVDF_OFF_QUEUE);
    if (runnable && is(SCHEDSCOPE_EEVDF_PROTECTED) &&
        difference(told.protected_until, told.vruntime) > 0) {
      ++row.sums.left_protected;
    }
    if (!row.on_cpu || row.came.rec.cpu != told.rec.cpu || row.gaps != gaps_) return;
    row.sums.vruntime_ns += static_cast<std::uint64_t>(
        std::max<std::int64_t>(0, difference(told.vruntime, row.came.vruntime)));
    if ((row.came.rec.flags & SCHEDSCOPE_EEVDF_DEADLINE) == 0) return;
    const bool past = difference(told.vruntime, row.came.deadline) >= 0;
    ++(past ? row.sums.past_deadline : row.sums.before_deadline);
  }

  std::vector<Row> rows_;
  std::uint64_t gaps_ = 0;
};

}  // namespace

std::unique_ptr<Pass> make_eevdf(const Setup& setup) {
  const auto& extras = setup.machine.extras;
  if (std::ranges::find(extras, "eevdf") == extras.end()) return nullptr;
  return Pass::make<Eevdf>(setup);
}

}  // namespace schedscope::analysis
