// SPDX-License-Identifier: GPL-2.0-only
#include "timeline/timeline.h"

#include <algorithm>
#include <vector>

#include "schema/skipped.h"
#include "timeline/kernel.h"
#include "timeline/user_threads.h"

namespace schedscope::timeline {

struct Timeline::State {
  State(std::uint64_t start_ns, std::uint32_t cpus, std::vector<Sink*> all, Scope scope)
      : sinks(std::move(all)),
        kernel(start_ns, cpus, sinks, scope),
        users(kernel, sinks),
        start(start_ns),
        now(start_ns) {
    kernel.set_carrier_sink(&users);
  }

  // Time never goes back: what a slow clock stamped earlier happened now. What held before
  // recording began holds when it begins.
  std::uint64_t clamp(std::uint64_t time_ns) {
    if (time_ns < now) {
      reversals += now > start ? 1 : 0;
    } else {
      now = time_ns;
    }
    return now;
  }

  void add(RecordView record);
  void lost(const schedscope_lost& record);

  std::vector<Sink*> sinks;
  KernelTimeline kernel;
  UserTimeline users;
  const std::uint64_t start;
  std::uint64_t now;
  std::uint64_t reversals = 0;
};

void Timeline::State::lost(const schedscope_lost& record) {
  // A loss that is only told of at the end of recording lies in the past of what follows it.
  const std::uint64_t t = std::max<std::uint64_t>(now, record.rec.time_ns);
  now = t;
  const std::uint64_t begin = std::min<std::uint64_t>(record.begin_ns, t);
  const bool told = record.tid != 0 || record.cause == SCHEDSCOPE_LOST_OVERRUN ||
                    record.cause == SCHEDSCOPE_LOST_INVALID;
  if (!told) kernel.on_gap(record.rec.cpu, begin, t);
  // What could not be written, or was not read, holds records of all sources.
  const bool of_all = record.cause == SCHEDSCOPE_LOST_WRITE || record.cause == lost_skipped;
  if (told || of_all) users.on_gap(record.tid, begin, t);
}

void Timeline::State::add(RecordView record) {
  switch (record.kind()) {
    case SCHEDSCOPE_REC_SWITCH:
      kernel.on_switch(record.as<schedscope_switch>(), clamp(record.time_ns()));
      break;
    case SCHEDSCOPE_REC_WAKING:
      kernel.on_waking(record.as<schedscope_waking>(), clamp(record.time_ns()));
      break;
    case SCHEDSCOPE_REC_WAKEUP_NEW:
      kernel.on_wakeup_new(record.as<schedscope_waking>(), clamp(record.time_ns()));
      break;
    case SCHEDSCOPE_REC_FORK:
      kernel.on_fork(record.as<schedscope_fork>(), clamp(record.time_ns()));
      break;
    case SCHEDSCOPE_REC_EXEC:
      kernel.on_exec(record.as<schedscope_exec>(), clamp(record.time_ns()));
      break;
    case SCHEDSCOPE_REC_MIGRATE:
      kernel.on_migrate(record.as<schedscope_migrate>());
      break;
    case SCHEDSCOPE_REC_HOTPLUG:
      kernel.on_hotplug(record.as<schedscope_hotplug>(), clamp(record.time_ns()));
      break;
    case SCHEDSCOPE_REC_INTERRUPTS:
      kernel.on_interrupts(record.as<schedscope_interrupts>(), clamp(record.time_ns()));
      break;
    case SCHEDSCOPE_REC_FUTEX:
      kernel.on_futex(record.as<schedscope_futex>());
      break;
    case SCHEDSCOPE_REC_STACK:
      kernel.on_stack(record.as<schedscope_stack>());
      break;
    case SCHEDSCOPE_REC_TASK:
      // The walks read while other records flow, and their stamps need not be in order.
      now = std::max(now, record.time_ns());
      kernel.on_task(record.as<schedscope_task>(), now);
      break;
    case SCHEDSCOPE_REC_NAMESPACE:
      now = std::max(now, record.time_ns());
      kernel.on_namespace(record.as<schedscope_namespace>());
      break;
    case SCHEDSCOPE_REC_LOST:
      lost(record.as<schedscope_lost>());
      break;
    case SCHEDSCOPE_REC_USER_SWITCH:
    case SCHEDSCOPE_REC_USER_READY:
    case SCHEDSCOPE_REC_USER_PARK:
    case SCHEDSCOPE_REC_USER_END:
      users.on_user(record.as<schedscope_user>(), clamp(record.time_ns()));
      break;
    case SCHEDSCOPE_REC_USER_NAME:
    case SCHEDSCOPE_REC_USER_CARRIER:
      users.on_name(record.as<schedscope_user_name>(), clamp(record.time_ns()));
      break;
    default:
      break;
  }
}

Timeline::Timeline(std::uint64_t start_ns, std::uint32_t cpus, std::span<Sink* const> sinks,
                   Scope scope)
    : state_(std::make_unique<State>(start_ns, cpus, std::vector<Sink*>(sinks.begin(), sinks.end()),
                                     scope)) {}
Timeline::Timeline(Timeline&&) noexcept = default;
Timeline::~Timeline() = default;

[[gnu::flatten]] void Timeline::add(RecordView record) {
  if (record.second()) {
    for (Sink* sink : state_->sinks) sink->second_record(record);
    return;
  }
  for (Sink* sink : state_->sinks) sink->record(record);
  state_->add(record);
}

void Timeline::finish(std::uint64_t end_ns) {
  state_->now = std::max(end_ns, state_->now);
  state_->kernel.finish(state_->now);
  state_->users.finish(state_->now);
}

std::uint64_t Timeline::end_ns() const {
  return state_->now;
}
std::span<const Thread> Timeline::threads() const {
  return state_->kernel.threads();
}
std::span<const UserThread> Timeline::user_threads() const {
  return state_->users.threads();
}
ThreadIndex Timeline::find(std::uint32_t tid) const {
  return state_->kernel.find(tid);
}
std::uint64_t Timeline::clock_reversals() const {
  return state_->reversals;
}
std::uint64_t Timeline::discontinuities() const {
  return state_->kernel.discontinuities();
}

}  // namespace schedscope::timeline
