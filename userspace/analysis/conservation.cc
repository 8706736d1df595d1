// SPDX-License-Identifier: GPL-2.0-only
//
// Records: produced = kept + lost by cause, on each CPU, over the whole capture.
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "analysis/passes.h"
#include "schema/record.h"
#include "schema/skipped.h"

namespace schedscope::analysis {
namespace {

using Causes = std::array<std::uint64_t, SCHEDSCOPE_LOST_CAUSES>;

class Conservation final : public Pass {
 public:
  using Pass::Pass;

  [[nodiscard]] std::uint64_t wants_records() const override {
    return kinds(SCHEDSCOPE_REC_LOST, SCHEDSCOPE_REC_CPU_STATS);
  }
  void record(RecordView record) override {
    if (record.kind() == SCHEDSCOPE_REC_LOST) {
      lost(record.as<schedscope_lost>());
      return;
    }
    const bool of_cpu = record.cpu() != SCHEDSCOPE_CPU_NONE;
    stats(of_cpu ? at(rows_, record.cpu()) : no_cpu_, record.as<schedscope_cpu_stats>());
  }

  void finish(Report& report) override {
    count();
    Causes total = no_cpu_.lost;
    bool whole = no_cpu_conserved();
    bool counted = no_cpu_.counted;
    report.kept = told_;
    report.produced = no_cpu_.produced;
    for (const Row& row : rows_) {
      report.kept += row.kept;
      report.produced += row.produced;
      counted = counted || row.counted;
      for (std::size_t i = 0; i < total.size(); ++i) total[i] += row.lost[i];
      whole = whole && row.produced == row.kept + sum(row.lost);
    }
    // What the sources' totals do not know: their records were lost after they were handed over.
    for (std::size_t i = 0; i < total.size(); ++i) {
      total[i] = std::max(total[i], marked_[i]);
      if (total[i] != 0) {
        report.lost[std::string(lost_cause_name(static_cast<std::uint32_t>(i)))] = total[i];
      }
    }
    // What runtimes told is in no source's totals, unless it was counted there.
    if (no_cpu_.produced < told_) report.produced += told_;
    if (!skipped_.empty()) {
      report.produced = report.kept + sum(total);  // of what was read
    } else if (counted) {
      report.records_conserved = whole;
    } else {
      report.produced = report.kept + sum(total);
    }
    std::sort(gaps_.begin(), gaps_.end());
    report.gaps = std::move(gaps_);
    report.skipped = std::move(skipped_);
  }

 private:
  struct Row {
    std::uint64_t kept = 0, produced = 0;
    Causes lost{};
    bool counted = false;
  };

  static std::uint64_t sum(const Causes& causes) {
    std::uint64_t all = 0;
    for (const std::uint64_t n : causes) all += n;
    return all;
  }

  // What was kept, of the kinds that the sources count.
  void count() {
    constexpr std::uint64_t of_cpu =
        kinds(SCHEDSCOPE_REC_SWITCH, SCHEDSCOPE_REC_WAKING, SCHEDSCOPE_REC_WAKEUP_NEW,
              SCHEDSCOPE_REC_FORK, SCHEDSCOPE_REC_EXEC, SCHEDSCOPE_REC_EXIT, SCHEDSCOPE_REC_MIGRATE,
              SCHEDSCOPE_REC_TASK, SCHEDSCOPE_REC_FUTEX, SCHEDSCOPE_REC_NAMESPACE,
              SCHEDSCOPE_REC_COUNTS, SCHEDSCOPE_REC_HOTPLUG, SCHEDSCOPE_REC_INTERRUPTS,
              SCHEDSCOPE_REC_EEVDF, SCHEDSCOPE_REC_STACK);
    constexpr std::uint64_t told =
        kinds(SCHEDSCOPE_REC_USER_SWITCH, SCHEDSCOPE_REC_USER_READY, SCHEDSCOPE_REC_USER_PARK,
              SCHEDSCOPE_REC_USER_END, SCHEDSCOPE_REC_USER_NAME, SCHEDSCOPE_REC_USER_CARRIER);
    const auto sum_of = [](const RecordCounts::Kinds& counts, std::uint64_t which) {
      std::uint64_t all = 0;
      for (std::size_t kind = 0; kind < counts.size(); ++kind) {
        if ((which >> kind & 1) != 0) all += counts[kind];
      }
      return all;
    };
    const RecordCounts& records = *setup().records;
    told_ = sum_of(records.no_cpu(), told);
    rows_.resize(std::max(rows_.size(), records.cpus().size()));
    for (std::size_t cpu = 0; cpu < records.cpus().size(); ++cpu) {
      rows_[cpu].kept = sum_of(records.cpus()[cpu], of_cpu);
      told_ += sum_of(records.cpus()[cpu], told);
    }
  }

  [[nodiscard]] bool no_cpu_conserved() const {
    const std::uint64_t rest = no_cpu_.produced - sum(no_cpu_.lost);
    return rest == 0 || rest == told_;
  }

  void lost(const schedscope_lost& record) {
    if (record.cause == lost_skipped) {
      skipped_.emplace_back(record.begin_ns, record.end_ns);
      return;
    }
    Gap gap{.begin_ns = record.begin_ns,
            .end_ns = record.end_ns,
            .count = record.count,
            .cause = std::string(lost_cause_name(record.cause))};
    if (record.rec.cpu != SCHEDSCOPE_CPU_NONE) gap.cpu = record.rec.cpu;
    gaps_.push_back(std::move(gap));
    if (record.cause < SCHEDSCOPE_LOST_CAUSES) marked_[record.cause] += record.count;
  }

  static void stats(Row& row, const schedscope_cpu_stats& record) {
    row.counted = true;
    row.produced += record.produced;
    for (std::size_t i = 0; i < row.lost.size(); ++i) row.lost[i] += record.lost[i];
  }

  std::vector<Row> rows_;
  Row no_cpu_;
  std::uint64_t told_ = 0;
  Causes marked_{};  // by the gaps in the stream
  std::vector<Gap> gaps_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> skipped_;
};

}  // namespace

std::unique_ptr<Pass> make_conservation(const Setup& setup) {
  return Pass::make<Conservation>(setup);
}

}  // namespace schedscope::analysis
