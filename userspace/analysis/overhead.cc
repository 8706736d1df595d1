// SPDX-License-Identifier: GPL-2.0-only
//
// What the probes cost, from the run time that the kernel measured of them.
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
    if (stats.rec.cpu != SCHEDSCOPE_CPU_NONE) all_switches_ += stats.switches;
    // Measured over a part of the recording, or not at all.
    if (stats.run_ns == 0 || stats.switches == 0) return;
    run_ns_ += stats.run_ns;
    switches_ += stats.switches;
  }

  void finish(Report& report) override {
    if (switches_ == 0) return;
    const double each = static_cast<double>(run_ns_) / static_cast<double>(switches_);
    report.overhead_ns_per_switch = each;
    const double span = static_cast<double>(setup().end_ns - setup().start_ns) *
                        static_cast<double>(report.cpus.size());
    if (span > 0) {
      report.overhead_cpu_percent = 100.0 * each * static_cast<double>(all_switches_) / span;
    }
  }

 private:
  std::uint64_t run_ns_ = 0, switches_ = 0, all_switches_ = 0;
};

}  // namespace

std::unique_ptr<Pass> make_overhead(const Setup& setup) {
  return std::make_unique<Overhead>(setup);
}

}  // namespace schedscope::analysis
