// SPDX-License-Identifier: GPL-2.0-only
//
// Who is told of, and in which order it is processed. What it does: user_state.cc.
#include "timeline/user_threads.h"

#include <algorithm>
#include <utility>

namespace schedscope::timeline {
namespace {

// Entries of a process that are held back at most; beyond, open stretches count as certain.
constexpr std::size_t most_pending = 1 << 16;
constexpr std::size_t least_batch = 1 << 10;

template <std::size_t N>
std::string text_of(const std::uint8_t (&bytes)[N]) {
  const auto* text = reinterpret_cast<const char*>(bytes);
  return {text, std::find(text, text + N, '\0')};
}

}  // namespace

UserTimeline::UserTimeline(KernelTimeline& kernel, std::vector<Sink*> sinks)
    : kernel_(kernel), sinks_(std::move(sinks)) {
  for (const Sink* sink : sinks_) spans_ = spans_ || sink->wants_user_spans();
}

std::uint32_t UserTimeline::process_of(std::uint32_t pid) {
  std::uint32_t index = process_by_pid_.find(pid);
  if (index != no_index) return index;
  index = static_cast<std::uint32_t>(processes_.size());
  processes_.emplace_back();
  process_by_pid_.set(pid, index);
  return index;
}

std::uint32_t UserTimeline::queue_of(std::uint32_t pid, std::uint64_t id) {
  std::uint32_t index = queue_by_id_.find({pid, id});
  if (index != no_index) return index;
  index = static_cast<std::uint32_t>(queues_.size());
  queues_.emplace_back().since = processes_[process_of(pid)].done_until;
  queue_by_id_.set({pid, id}, index);
  return index;
}

std::uint32_t UserTimeline::carrier_of(std::uint32_t pid, std::uint32_t tid, std::uint64_t t) {
  const std::uint32_t known = carrier_by_tid_.find({pid, tid});
  if (known != no_index) {
    // What a carrier told last may come after the kernel's word that it is gone.
    const ThreadIndex now = kernel_.find(tid);
    if (!carriers_[known].gone || now == no_index || now == carriers_[known].thread) return known;
  }
  const auto index = static_cast<std::uint32_t>(carriers_.size());
  Carrier& carrier = carriers_.emplace_back();
  carrier.tid = tid;
  carrier.thread = kernel_.adopt_carrier(tid, t);
  carrier.process = process_of(pid);
  carrier.queue = queue_of(pid, tid);
  carrier.from = carrier.since = carrier.certain_until = t;
  processes_[carrier.process].carriers.push_back(index);
  carrier_by_tid_.set({pid, tid}, index);
  if (carrier_of_thread_.size() <= carrier.thread) {
    carrier_of_thread_.resize(carrier.thread + 1U, no_index);
  }
  carrier_of_thread_[carrier.thread] = index;
  push(carrier.process, {.t = t, .carrier = index});
  return index;
}

UserIndex UserTimeline::user_of(std::uint32_t pid, std::uint64_t id, std::uint32_t carrier,
                                std::uint64_t t) {
  UserIndex index = user_by_id_.find({pid, id});
  if (index != no_index) return index;
  index = static_cast<UserIndex>(threads_.size());
  UserThread& thread = threads_.emplace_back();
  thread.index = index;
  thread.id = id;
  thread.pid = pid;
  thread.runtime = carriers_[carrier].runtime;
  thread.born_ns = t;
  User& user = users_.emplace_back();
  user.since = t;
  user.queue = carriers_[carrier].queue;
  user_by_id_.set({pid, id}, index);
  return index;
}

void UserTimeline::on_user(const schedscope_user& record, std::uint64_t t) {
  const std::uint32_t carrier = carrier_of(record.pid, record.tid, t);
  Entry entry{.t = t, .carrier = carrier};
  switch (record.rec.kind) {
    case SCHEDSCOPE_REC_USER_SWITCH:
      entry.what = What::run;
      break;
    case SCHEDSCOPE_REC_USER_READY:
      entry.what = What::ready;
      break;
    case SCHEDSCOPE_REC_USER_PARK:
      entry.what = What::park;
      break;
    default:
      entry.what = What::end;
      break;
  }
  if (record.id == 0 && entry.what != What::run) return;  // the runtime itself is no user thread
  if (record.id != 0) entry.to = user_of(record.pid, record.id, carrier, t);
  // The next one of this id is another user thread.
  if (entry.what == What::end) user_by_id_.erase({record.pid, record.id});
  push(carriers_[carrier].process, entry);
}

void UserTimeline::on_name(const schedscope_user_name& record, std::uint64_t t) {
  const std::uint32_t carrier = carrier_of(record.pid, record.tid, t);
  if (record.rec.kind == SCHEDSCOPE_REC_USER_NAME) {
    if (record.id == 0) return;
    const UserIndex user = user_of(record.pid, record.id, carrier, t);
    threads_[user].name = text_of(record.name);
    return;
  }
  carriers_[carrier].runtime = text_of(record.name);
  push(carriers_[carrier].process,
       {.t = t, .carrier = carrier, .to = queue_of(record.pid, record.id), .what = What::move});
}

void UserTimeline::on_gap(std::uint32_t tid, std::uint64_t begin_ns, std::uint64_t t) {
  for (std::uint32_t i = 0; i < carriers_.size(); ++i) {
    if (tid != 0 && carriers_[i].tid != tid) continue;
    push(carriers_[i].process, {.t = std::clamp(begin_ns, std::min(carriers_[i].from, t), t),
                                .carrier = i,
                                .what = What::gap});
  }
}

void UserTimeline::carrier_stretch(ThreadIndex thread, State state, std::uint64_t begin_ns,
                                   std::uint64_t end_ns) {
  const std::uint32_t index = carrier_of_thread_[thread];
  Carrier& carrier = carriers_[index];
  carrier.certain_until = std::max(carrier.certain_until, end_ns);
  if (end_ns <= carrier.from) return;
  push(carrier.process, {.t = std::max(begin_ns, carrier.from), .carrier = index, .state = state});
}

void UserTimeline::carrier_gone(ThreadIndex thread, std::uint64_t at_ns) {
  const std::uint32_t index = carrier_of_thread_[thread];
  carriers_[index].gone = true;
  push(carriers_[index].process,
       {.t = std::max(at_ns, carriers_[index].from), .carrier = index, .what = What::gone});
}

void UserTimeline::push(std::uint32_t process, const Entry& entry) {
  Process& to = processes_[process];
  to.pending.push_back(entry);
  to.pending.back().order = to.next_order++;
  if (to.pending.size() >= to.drain_at) drain(to);
}

void UserTimeline::drain(Process& process) {
  std::uint64_t certain = ~0ULL;
  for (const std::uint32_t i : process.carriers) {
    if (!carriers_[i].gone) certain = std::min(certain, carriers_[i].certain_until);
  }
  if (certain == ~0ULL) certain = process.done_until;  // all gone: what is left waits for the end
  process_until(process, certain);
  if (process.pending.size() >= most_pending) {
    const std::uint64_t until = process.pending.back().t + 1;
    take_open_for_certain(process, until);
    process_until(process, until);
  }
  process.drain_at = std::max(least_batch, process.pending.size() * 2);
}

void UserTimeline::take_open_for_certain(Process& process, std::uint64_t until) {
  for (const std::uint32_t i : process.carriers) {
    const Carrier& carrier = carriers_[i];
    if (carrier.gone) continue;
    std::array<KernelTimeline::OpenStretch, 3> open;
    const std::size_t count = kernel_.open_stretches(carrier.thread, open);
    for (std::size_t s = 0; s < count; ++s) {
      const std::uint64_t end = s + 1 < count ? open[s + 1].begin_ns : until;
      if (end <= carrier.certain_until) continue;
      process.pending.push_back({.t = std::max(open[s].begin_ns, carrier.certain_until),
                                 .carrier = i,
                                 .order = process.next_order++,
                                 .state = open[s].state});
    }
  }
}

void UserTimeline::process_until(Process& process, std::uint64_t before) {
  std::sort(process.pending.begin(), process.pending.end(), [](const Entry& a, const Entry& b) {
    return a.t != b.t ? a.t < b.t : a.order < b.order;
  });
  std::size_t done = 0;
  for (; done < process.pending.size() && process.pending[done].t < before; ++done) {
    process.done_until = std::max(process.done_until, process.pending[done].t);
    process_entry(process.pending[done], process.done_until);
  }
  process.pending.erase(process.pending.begin(),
                        process.pending.begin() + static_cast<std::ptrdiff_t>(done));
}

void UserTimeline::finish(std::uint64_t end_ns) {
  for (Process& process : processes_) {
    process_until(process, ~0ULL);
    process.pending = {};
  }
  for (UserIndex i = 0; i < users_.size(); ++i) {
    if (users_[i].place == Place::over) continue;
    const std::uint64_t end = std::max(end_ns, users_[i].since);
    leave(i, end);
    users_[i].place = Place::over;
    threads_[i].gone_ns = end;
  }
}

}  // namespace schedscope::timeline
