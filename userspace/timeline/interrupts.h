// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <algorithm>
#include <cstdint>

#include "schema/record.h"
#include "timeline/types.h"

namespace schedscope::timeline {

// So much more than a slice or the recording a record may be of, and still be of it: clocks of two
// CPUs differ, and the recording's start is read a moment after the probes were let loose.
inline constexpr std::uint64_t interrupts_slack_ns = 1'000'000;

// What is told of interrupts on a CPU since its last switch, until the slice that they are of
// ends.
class InterruptsHere {
 public:
  // `since`: what is on the CPU now, or is not known, began here.
  void add(const schedscope_interrupts& record, std::uint64_t since, std::uint64_t t) {
    const std::uint64_t time = record.rec.time_ns;
    const std::uint64_t from = time - std::min<std::uint64_t>(time, record.for_ns);
    told_until_ = std::max(told_until_, t);
    mixed_ = mixed_ || (tid_ != SCHEDSCOPE_TID_NONE && record.tid != SCHEDSCOPE_TID_NONE &&
                        tid_ != record.tid);
    if (record.tid != SCHEDSCOPE_TID_NONE) tid_ = record.tid;
    // Of more than this slice, which began in a gap or before what is seen of it.
    if (from + interrupts_slack_ns < since) {
      sum_.unknown_ns += t - std::min(t, since);
      return;
    }
    sum_.hard_ns += record.hard_ns;
    sum_.soft_ns += record.soft_ns;
    sum_.hard += record.hard_count;
    sum_.soft += record.soft_count;
  }

  // Of the slice of thread `tid` from `begin` to `end`; `told`: its end was seen, and with it what
  // was left to tell.
  [[nodiscard]] Interrupts of_slice(std::uint32_t tid, std::uint64_t begin, std::uint64_t end,
                                    bool told) const {
    const std::uint64_t length = end - begin;
    const bool other = mixed_ || (tid_ != SCHEDSCOPE_TID_NONE && tid_ != tid);
    Interrupts of = sum_;
    if (!told) of.unknown_ns += end - std::clamp(told_until_, begin, end);
    // What does not fit is not of this slice alone.
    if (other || of.hard_ns > length || of.soft_ns > length - of.hard_ns) {
      return {.unknown_ns = length};
    }
    of.unknown_ns = std::min(of.unknown_ns, length - of.hard_ns - of.soft_ns);
    return of;
  }

  void forget() {
    if (told_until_ != 0) *this = {};
  }

 private:
  Interrupts sum_{};
  std::uint64_t told_until_ = 0;
  std::uint32_t tid_ = SCHEDSCOPE_TID_NONE;
  bool mixed_ = false;
};

}  // namespace schedscope::timeline
