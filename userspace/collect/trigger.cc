// SPDX-License-Identifier: GPL-2.0-only
#include "collect/trigger.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace schedscope::collect {

void Trigger::see(RecordView record) {
  if (record.second()) return;
  Event event{.at_ns = record.time_ns(), .cpu = record.cpu()};
  switch (record.kind()) {
    case SCHEDSCOPE_REC_SWITCH: {
      const auto& change = record.as<schedscope_switch>();
      event.what = Event::What::change;
      event.stays = (record.flags() & SCHEDSCOPE_SWITCH_PREEMPT) != 0 || change.prev_state == 0;
      event.tid = change.prev_tid;
      event.next = change.next_tid;
      break;
    }
    case SCHEDSCOPE_REC_WAKING:
    case SCHEDSCOPE_REC_WAKEUP_NEW:
      event.tid = record.as<schedscope_waking>().tid;
      break;
    case SCHEDSCOPE_REC_TASK:
      // It comes into the selection, or leaves it: what was seen of it before is not the whole.
      if ((record.flags() & SCHEDSCOPE_TASK_MOVED) == 0) return;
      event.what = Event::What::gone;
      event.tid = record.as<schedscope_task>().tid;
      break;
    case SCHEDSCOPE_REC_HOTPLUG:
      if ((record.flags() & SCHEDSCOPE_HOTPLUG_OFF) == 0 || record.cpu() == SCHEDSCOPE_CPU_NONE) {
        return;  // it comes, or was down when the recording began
      }
      event.what = Event::What::off;
      event.of_cpu = record.as<schedscope_hotplug>().of_cpu;
      break;
    case SCHEDSCOPE_REC_LOST:
      event.what = Event::What::gap;
      event.at_ns = record.as<schedscope_lost>().begin_ns;
      queue_of(event.cpu).events.push_back(event);
      event.at_ns = record.time_ns();
      break;
    default:
      return;
  }
  queue_of(event.cpu).events.push_back(event);
}

void Trigger::check(bool is_wait, bool is_over, std::uint32_t tid, std::uint64_t begin_ns,
                    std::uint64_t end_ns) {
  const std::uint64_t limit_ns = is_wait ? limits_.wait_ns : limits_.slice_ns;
  if (limit_ns == 0 || tid == 0 || end_ns < begin_ns + limit_ns) return;
  if (fired_ && fired_->begin_ns <= begin_ns) return;
  if (is_recorded_ && !is_recorded_(tid)) return;
  fired_ = {.is_wait = is_wait,
            .is_over = is_over,
            .tid = tid,
            .begin_ns = begin_ns,
            .for_ns = end_ns - begin_ns};
}

void Trigger::change(const Event& event) {
  Running& running = running_[event.cpu];
  if (running.tid == event.tid) check(false, true, event.tid, running.since_ns, event.at_ns);
  if (running.tid != event.tid && running.tid != 0) threads_[running.tid].on_cpu = false;
  running = {.tid = event.next, .since_ns = event.at_ns};
  if (event.tid != 0) {
    threads_[event.tid] = {.waits_since_ns = event.stays ? event.at_ns : none, .on_cpu = false};
  }
  if (event.next == 0) return;
  Thread& next = threads_[event.next];
  if (next.waits_since_ns != none) {
    check(true, true, event.next, next.waits_since_ns, event.at_ns);
  }
  next = {.waits_since_ns = none, .on_cpu = true};
}

void Trigger::forget() {
  threads_.clear();
  running_.assign(running_.size(), {});
}

void Trigger::gone(std::uint32_t tid) {
  threads_.erase(tid);
  for (Running& running : running_) {
    if (running.tid == tid) running = {};
  }
}

// The last switch there, from the stopper to idle, is in no record.
void Trigger::off(std::uint32_t cpu) {
  if (cpu >= running_.size()) return;
  const Running last = std::exchange(running_[cpu], {});
  if (last.tid != 0) threads_[last.tid].on_cpu = false;
}

void Trigger::take(const Event& event) {
  switch (event.what) {
    case Event::What::change:
      return change(event);
    case Event::What::runnable: {
      // Woken while it runs: whether it goes to sleep all the same is not told.
      Thread& thread = threads_[event.tid];
      if (!thread.on_cpu) thread.waits_since_ns = std::min(thread.waits_since_ns, event.at_ns);
      return;
    }
    case Event::What::gap:
      return forget();
    case Event::What::gone:
      return gone(event.tid);
    case Event::What::off:
      return off(event.of_cpu);
  }
}

Trigger::Queue& Trigger::queue_of(std::uint16_t cpu) {
  if (cpu >= queues_.size()) {
    queues_.resize(cpu + 1U);
    running_.resize(cpu + 1U);
  }
  return queues_[cpu];
}

// In the order of time: always the CPU whose next event is the oldest.
void Trigger::take_all(std::uint64_t certain_ns) {
  using Next = std::pair<std::uint64_t, std::size_t>;
  std::priority_queue<Next, std::vector<Next>, std::greater<>> oldest;
  const auto offer = [&](std::size_t cpu) {
    const Queue& queue = queues_[cpu];
    if (queue.has(certain_ns)) oldest.emplace(queue.events[queue.next].at_ns, cpu);
  };
  for (std::size_t cpu = 0; cpu < queues_.size(); ++cpu) offer(cpu);
  while (!oldest.empty()) {
    const std::size_t cpu = oldest.top().second;
    oldest.pop();
    Queue& queue = queues_[cpu];
    const std::uint64_t others_ns = oldest.empty() ? certain_ns : oldest.top().first;
    do {
      take(queue.events[queue.next++]);
    } while (queue.has(others_ns));
    offer(cpu);
  }
  for (Queue& queue : queues_) {
    const auto taken = queue.events.begin() + static_cast<std::ptrdiff_t>(queue.next);
    queue.events.erase(queue.events.begin(), taken);
    queue.next = 0;
  }
}

void Trigger::check_open(std::uint64_t certain_ns) {
  for (const auto& [tid, thread] : threads_) {
    if (thread.waits_since_ns != none) check(true, false, tid, thread.waits_since_ns, certain_ns);
  }
  for (const Running& running : running_) {
    check(false, false, running.tid, running.since_ns, certain_ns);
  }
}

std::optional<Trigger::Fired> Trigger::judge(std::uint64_t certain_ns) {
  take_all(certain_ns);
  check_open(certain_ns);
  // Who neither waits nor runs need not be known.
  constexpr std::size_t many = 1U << 16;
  if (threads_.size() > many) {
    std::erase_if(threads_, [](const auto& entry) {
      return entry.second.waits_since_ns == none && !entry.second.on_cpu;
    });
  }
  return std::exchange(fired_, std::nullopt);
}

std::string describe(const Trigger::Fired& fired) {
  return fmt::format("thread {} {} for {}{}", fired.tid, fired.is_wait ? "waited" : "ran",
                     human_ns(fired.for_ns), fired.is_over ? "" : ", and still does");
}

}  // namespace schedscope::collect
