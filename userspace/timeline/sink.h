// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include "schema/record.h"
#include "timeline/types.h"

namespace schedscope::timeline {

// Takes what a timeline finds. Each thread's, CPU's and user thread's own stretches come in
// time order, without holes and without overlaps: they tile its wall time. Between two
// threads there is no order. A thread's stretches come when its next switch-out has shown that
// none was missed, a user thread's when its carrier's have come: both later than they ended.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void slice(const Slice&) {}
  virtual void span(const Span&) {}
  virtual void user_span(const UserSpan&) {}
  virtual void cpu_span(const CpuSpan&) {}
  // A thread goes to sleep for a futex, and is woken: when it happens, and not yet certain. The
  // span comes later.
  virtual void futex_wait(ThreadIndex, const Futex&, std::uint64_t /*at_ns*/) {}
  virtual void futex_woken(ThreadIndex, std::uint64_t /*at_ns*/) {}
  // user_span() costs a call for each ready user thread at each carrier's coming and going;
  // sums of their times need no spans, see UserThread.
  [[nodiscard]] virtual bool wants_user_spans() const { return false; }
  virtual void hostages(const HostageSpan&) {}
  // A runtime switched to this user thread (UserIndex of it): one call per switch.
  virtual void user_switch(UserIndex, std::uint64_t /*at_ns*/) {}
  // A thread is in this cgroup from `from_ns` on, 0: from its birth. It may come after stretches
  // that are given out later, but after none that is given out before. `told`: by a record of the
  // move; else that was missed, and it is only now that it shows.
  virtual void in_cgroup(ThreadIndex, std::uint64_t /*cgroup_id*/, std::uint64_t /*from_ns*/,
                         bool /*told*/) {}
  // Every record, before the timeline takes it: for what needs no timeline (counts, wakers).
  virtual void record(RecordView) {}
  // A record of the second witness, in the order of times among those of the first. It changes
  // nothing in the timeline.
  virtual void second_record(RecordView) {}
};

}  // namespace schedscope::timeline
