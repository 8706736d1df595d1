// SPDX-License-Identifier: GPL-2.0-only
//
// What the tracing cost: the probes, from the run time that the kernel measured of them, and the
// recorder, from its own CPU time.
#include <algorithm>

#include "analysis/passes.h"

namespace schedscope::analysis {
namespace {

class Overhead final : public Pass {
 public:
  using Pass::Pass;

  [[nodiscard]] std::uint64_t wants_records() const override {
    return kinds(SCHEDSCOPE_REC_CPU_STATS);
  }
  void record(RecordView record) override { take(record); }
  void second_record(RecordView record) override { take(record); }

  void finish(Report& report) override {
    const capture::Machine& machine = setup().machine;
    const double span = static_cast<double>(setup().end_ns - setup().start_ns);
    report.recorded_switches = setup().records->no_cpu()[SCHEDSCOPE_REC_SWITCH];
    for (const auto& kinds : setup().records->cpus()) {
      report.recorded_switches += kinds[SCHEDSCOPE_REC_SWITCH];
    }
    report.agent_cpu_ns = machine.agent_cpu_ns;
    if (machine.agent_cpu_ns != 0 && span > 0) {
      report.agent_core_percent = 100.0 * static_cast<double>(machine.agent_cpu_ns) / span;
    }
    if (run_ns_ == 0) return;
    // With few switches, wakeups and timer ticks would make each look dear.
    if (fewest_ >= least_switches) report.overhead_ns_per_switch = ns_per_switch_;
    const double measured = static_cast<double>(machine.measured_ns);
    const double cpus = machine.cpus_online;
    if (measured <= 0 || span <= 0 || cpus <= 0) return;
    report.overhead_cpu_percent = 100.0 *
                                  (static_cast<double>(run_ns_) / measured +
                                   static_cast<double>(machine.agent_cpu_ns) / span) /
                                  cpus;
  }

 private:
  static constexpr std::uint64_t least_switches = 1000;

  // One witness's; two are in the way of each switch both.
  void take(RecordView record) {
    if (record.kind() != SCHEDSCOPE_REC_CPU_STATS || record.cpu() != SCHEDSCOPE_CPU_NONE) return;
    const auto& stats = record.as<schedscope_cpu_stats>();
    if (stats.run_ns == 0) return;
    run_ns_ += stats.run_ns;
    fewest_ = std::min<std::uint64_t>(fewest_, stats.switches);
    if (stats.switches == 0) return;
    ns_per_switch_ += static_cast<double>(stats.run_ns) / static_cast<double>(stats.switches);
  }

  std::uint64_t run_ns_ = 0;
  std::uint64_t fewest_ = ~0ULL;  // switches that a witness was timed for
  double ns_per_switch_ = 0;
};

}  // namespace

std::unique_ptr<Pass> make_overhead(const Setup& setup) {
  return Pass::make<Overhead>(setup);
}

}  // namespace schedscope::analysis
