// SPDX-License-Identifier: GPL-2.0-only
//
// What the tracing cost: the probes, from the run time that the kernel measured of them, and the
// recorder, from its own CPU time.
#include "analysis/passes.h"

namespace schedscope::analysis {
namespace {

class Overhead final : public Pass {
 public:
  using Pass::Pass;

  [[nodiscard]] bool wants_records() const override { return true; }
  void record(RecordView record) override {
    if (record.kind() != SCHEDSCOPE_REC_CPU_STATS) return;
    const auto& stats = record.as<schedscope_cpu_stats>();
    if (stats.rec.cpu != SCHEDSCOPE_CPU_NONE) return;
    run_ns_ += stats.run_ns;
    switches_ += stats.switches;
  }

  void finish(Report& report) override {
    if (run_ns_ == 0) return;
    // With few switches, wakeups and timer ticks would make each look dear.
    if (switches_ >= least_switches) {
      report.overhead_ns_per_switch = static_cast<double>(run_ns_) / static_cast<double>(switches_);
    }
    const capture::Machine& machine = setup().machine;
    const double measured = static_cast<double>(machine.measured_ns);
    const double span = static_cast<double>(setup().end_ns - setup().start_ns);
    const double cpus = machine.cpus_online;
    if (measured <= 0 || span <= 0 || cpus <= 0) return;
    report.overhead_cpu_percent = 100.0 *
                                  (static_cast<double>(run_ns_) / measured +
                                   static_cast<double>(machine.agent_cpu_ns) / span) /
                                  cpus;
  }

 private:
  static constexpr std::uint64_t least_switches = 1000;
  std::uint64_t run_ns_ = 0, switches_ = 0;
};

}  // namespace

std::unique_ptr<Pass> make_overhead(const Setup& setup) {
  return std::make_unique<Overhead>(setup);
}

}  // namespace schedscope::analysis
