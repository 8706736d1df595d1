// SPDX-License-Identifier: GPL-2.0-only
//
// What interrupts took of threads' run time, and of each CPU's.
#include <algorithm>

#include "analysis/passes.h"
#include "timeline/interrupts.h"

namespace schedscope::analysis {
namespace {

void add(InterruptReport& to, const timeline::Interrupts& of) {
  to.irq_ns += of.hard_ns;
  to.softirq_ns += of.soft_ns;
  to.irqs += of.hard;
  to.softirqs += of.soft;
  to.unknown_ns += of.unknown_ns;
}

class Interrupts final : public Pass {
 public:
  using Pass::Pass;

  [[nodiscard]] std::uint64_t wants_records() const override {
    return kinds(SCHEDSCOPE_REC_INTERRUPTS, SCHEDSCOPE_REC_LOST);
  }

  void slice(const timeline::Slice& slice) override {
    if (!slice.interrupts.any()) return;
    add(at(threads_, slice.thread), slice.interrupts);
    add(at(cpus_, slice.cpu).all, slice.interrupts);
  }

  // A slice has its own; this is for idle time, of which the timeline knows no interrupts.
  void record(RecordView record) override {
    if (record.kind() == SCHEDSCOPE_REC_LOST) {
      // What a CPU did in a gap is not known, that it was idle neither.
      if (record.second() || record.cpu() >= timeline::most_cpus) return;
      std::uint64_t& until = at(cpus_, record.cpu()).gap_end_ns;
      until = std::max(until, record.time_ns());
      return;
    }
    const auto& told = record.as<schedscope_interrupts>();
    if (told.tid != 0 || told.of_cpu >= timeline::most_cpus) return;
    const std::uint64_t end = told.rec.time_ns;
    const std::uint64_t begin = end - std::min<std::uint64_t>(end, told.for_ns);
    Cpu& cpu = at(cpus_, static_cast<std::uint32_t>(told.of_cpu));
    if (begin + timeline::interrupts_slack_ns < setup().from_ns || end > setup().to_ns) return;
    const std::uint64_t known_from = std::max({begin, setup().from_ns, cpu.gap_end_ns});
    cpu.told_idle_ns += end - std::min(end, known_from);
    add(cpu.all, {.hard_ns = told.hard_ns,
                  .soft_ns = told.soft_ns,
                  .hard = told.hard_count,
                  .soft = told.soft_count});
    cpu.idle_irq_ns += told.hard_ns;
    cpu.idle_softirq_ns += told.soft_ns;
  }

  void finish(Report& report) override {
    threads_.resize(report.threads.size());
    for (std::size_t i = 0; i < threads_.size(); ++i) report.threads[i].interrupts = threads_[i];
    for (CpuReport& cpu : report.cpus) {
      const Cpu& row = at(cpus_, cpu.cpu);
      cpu.interrupts = row.all;
      // Nothing is told of idle time before a gap, and of that at the end.
      cpu.interrupts->unknown_ns += cpu.idle_ns - std::min(cpu.idle_ns, row.told_idle_ns);
      cpu.idle_irq_ns = row.idle_irq_ns;
      cpu.idle_softirq_ns = row.idle_softirq_ns;
    }
  }

 private:
  struct Cpu {
    InterruptReport all;
    std::uint64_t idle_irq_ns = 0, idle_softirq_ns = 0;
    std::uint64_t told_idle_ns = 0;  // as long as these are of
    std::uint64_t gap_end_ns = 0;    // of the last one
  };
  std::vector<InterruptReport> threads_;
  std::vector<Cpu> cpus_;
};

}  // namespace

std::unique_ptr<Pass> make_interrupts(const Setup& setup) {
  const auto& extras = setup.machine.extras;
  if (std::ranges::find(extras, "interrupts") == extras.end()) return nullptr;
  return Pass::make<Interrupts>(setup);
}

}  // namespace schedscope::analysis
