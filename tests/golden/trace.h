// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "timeline/sink.h"
#include "timeline/types.h"

namespace schedscope::golden {

// Keeps every slice and span of a short capture.
class Trace final : public timeline::Sink {
 public:
  void slice(const timeline::Slice& slice) override { slices_.push_back(slice); }
  void span(const timeline::Span& span) override { spans_.push_back(span); }
  void hostages(const timeline::HostageSpan& span) override { hostages_.push_back(span); }
  void record(RecordView record) override;

  // Those of `threads` that ended in [begin_ns, end_ns], in the order of their ends.
  [[nodiscard]] std::vector<timeline::Slice> slices(std::vector<timeline::ThreadIndex> threads,
                                                    std::uint64_t begin_ns,
                                                    std::uint64_t end_ns) const;
  // Those of `thread` in `state` that ended in [begin_ns, end_ns], in their order.
  [[nodiscard]] std::vector<timeline::Span> spans(timeline::ThreadIndex thread,
                                                  timeline::State state, std::uint64_t begin_ns,
                                                  std::uint64_t end_ns) const;
  [[nodiscard]] const std::vector<timeline::HostageSpan>& hostages() const { return hostages_; }

  // Records of one CPU that were lost, as the first witness's stream tells of them.
  struct Gap {
    std::uint16_t cpu;
    std::uint64_t begin_ns, end_ns, count;
  };
  [[nodiscard]] const std::vector<Gap>& gaps() const { return gaps_; }
  // Where fair threads stood at each switch.
  [[nodiscard]] const std::vector<schedscope_eevdf>& eevdf() const { return eevdf_; }
  // What interrupts took, whoever was there.
  [[nodiscard]] const std::vector<schedscope_interrupts>& interrupts() const { return interrupts_; }

  // Threads that the kernel runs and keeps from every probe: they get a CPU, but no probe is
  // called while they have it, not even as they leave it, nor does a walk find them. Some hosts
  // protect their own agents so. What such a thread does is lost, and no count can say so.
  struct Hidden {
    std::vector<std::uint32_t> tids;
    std::uint64_t arrivals = 0;       // on any CPU: as many switches are missing
    std::uint64_t arrivals_here = 0;  // on the CPU that was asked for
  };
  [[nodiscard]] Hidden hidden(std::uint32_t cpu) const;

 private:
  std::vector<timeline::Slice> slices_;
  std::vector<timeline::Span> spans_;
  std::vector<timeline::HostageSpan> hostages_;
  std::vector<Gap> gaps_;
  std::vector<schedscope_interrupts> interrupts_;
  std::vector<schedscope_eevdf> eevdf_;
  std::map<std::uint32_t, std::map<std::uint32_t, std::uint64_t>> arrivals_;  // by tid, by CPU
  std::set<std::uint32_t> seen_active_;  // left a CPU, woke somebody, was walked
};

}  // namespace schedscope::golden
