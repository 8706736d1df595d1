// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include "schema/record.h"
#include "timeline/types.h"

namespace schedscope::timeline {

// Takes what a timeline finds. Each thread's, CPU's and user thread's own stretches come in
// time order, without holes and without overlaps: they tile its wall time. Between two
// threads there is no order.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void slice(const Slice&) {}
  virtual void span(const Span&) {}
  virtual void user_span(const UserSpan&) {}
  virtual void cpu_span(const CpuSpan&) {}
  // A runtime switched to this user thread (UserIndex of it): one call per switch.
  virtual void user_switch(UserIndex) {}
  // Every record, before the timeline takes it: for what needs no timeline (counts, wakers).
  virtual void record(RecordView) {}
};

}  // namespace schedscope::timeline
