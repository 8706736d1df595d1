// SPDX-License-Identifier: GPL-2.0-only
//
// Where each CPU's time went.
#include "analysis/passes.h"

namespace schedscope::analysis {
namespace {

class Cpus final : public Pass {
 public:
  using Pass::Pass;

  [[nodiscard]] std::uint64_t wants_records() const override {
    return kinds(SCHEDSCOPE_REC_SWITCH, SCHEDSCOPE_REC_CPU_STATS);
  }
  void record(RecordView record) override {
    if (record.cpu() == SCHEDSCOPE_CPU_NONE) return;
    const bool is_switch = record.kind() == SCHEDSCOPE_REC_SWITCH;
    if (!is_switch && record.as<schedscope_cpu_stats>().produced == 0) return;
    Row& row = at(rows_, record.cpu());
    row.online = true;
    if (!is_switch || record.time_ns() < setup().from_ns || record.time_ns() > setup().to_ns)
      return;
    ++row.switches;
  }

  void slice(const timeline::Slice& slice) override {
    at(rows_, slice.cpu).run_ns += slice.end_ns - slice.begin_ns;
  }

  void cpu_span(const timeline::CpuSpan& span) override {
    Row& row = at(rows_, span.cpu);
    std::uint64_t& sum = span.state == timeline::CpuState::idle  ? row.idle_ns
                         : span.state == timeline::CpuState::off ? row.off_ns
                                                                 : row.unknown_ns;
    sum += span.end_ns - span.begin_ns;
  }

  void finish(Report& report) override {
    const std::size_t online = setup().machine.cpus_online;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const Row& row = rows_[i];
      report.switches += row.switches;
      // A possible CPU of which nothing was heard may not exist.
      if (!row.online && row.run_ns == 0 && row.off_ns == 0 && i >= online) continue;
      report.cpus.push_back({.cpu = static_cast<std::uint16_t>(i),
                             .run_ns = row.run_ns,
                             .idle_ns = row.idle_ns,
                             .off_ns = row.off_ns,
                             .unknown_ns = row.unknown_ns,
                             .switches = row.switches});
    }
  }

 private:
  struct Row {
    std::uint64_t run_ns = 0, idle_ns = 0, off_ns = 0, unknown_ns = 0, switches = 0;
    bool online = false;
  };
  std::vector<Row> rows_;
};

}  // namespace

std::unique_ptr<Pass> make_cpus(const Setup& setup) {
  return Pass::make<Cpus>(setup);
}

}  // namespace schedscope::analysis
