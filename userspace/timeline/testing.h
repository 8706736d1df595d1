// SPDX-License-Identifier: GPL-2.0-only
//
// For tests: writes records as a scheduler would, and reads a timeline back as text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "schema/record.h"
#include "timeline/sink.h"
#include "timeline/timeline.h"

namespace schedscope::timeline::testing {

// Why a thread leaves its CPU; the default is that it blocks in an interruptible sleep.
struct Why {
  std::uint32_t state = 1;
  std::uint16_t flags = 0;
  std::uint32_t by = 0;  // with SCHEDSCOPE_SWITCH_WAKEUP
};
inline constexpr Why sleeps{};
inline constexpr Why blocks{.state = 2};
inline constexpr Why dies{.state = 0x80};
inline constexpr Why runnable{.state = 0};
inline constexpr Why ticked{.state = 0, .flags = SCHEDSCOPE_SWITCH_TICK};
inline constexpr Why yields{.state = 0, .flags = SCHEDSCOPE_SWITCH_YIELD};
inline Why sleeps_in(std::uint32_t syscall) {
  return {.state = 1, .flags = SCHEDSCOPE_SWITCH_SYSCALL, .by = syscall};
}
inline Why preempted_by(std::uint32_t tid) {
  return {.state = 0, .flags = SCHEDSCOPE_SWITCH_WAKEUP, .by = tid};
}

// Records in the order in which they are written, each 8-byte aligned. Knows who is on each CPU
// and each thread's switch number, so that a test says only what is new.
class Script {
 public:
  template <typename T>
  T& add(const T& record) {
    static_assert(sizeof(T) % 8 == 0);
    auto& bytes = records_.emplace_back(sizeof(T) / 8);
    std::memcpy(bytes.data(), &record, sizeof(T));
    return *reinterpret_cast<T*>(bytes.data());
  }
  // A copy of the last record.
  template <typename T>
  [[nodiscard]] T back() const {
    T record;
    std::memcpy(&record, records_.back().data(), sizeof(record));
    return record;
  }
  // The last record never came.
  void drop_last() { records_.pop_back(); }
  void remove(std::size_t index) {
    records_.erase(records_.begin() + static_cast<std::ptrdiff_t>(index));
  }

  // CPU `cpu` switches at `t` from who is on it (idle at first) to `next`.
  schedscope_switch& to(std::uint64_t t, std::uint16_t cpu, std::uint32_t next, Why why = sleeps) {
    const std::uint32_t prev = current_[cpu];
    auto record = make_record<schedscope_switch>(SCHEDSCOPE_REC_SWITCH, t, cpu);
    record.rec.flags = prev == 0 ? std::uint16_t{0} : why.flags;
    record.prev_tid = prev;
    record.next_tid = next;
    record.prev_state = prev == 0 ? 0 : why.state;
    record.prev_switches = ++number_[prev == 0 ? idle_key(cpu) : prev];
    record.prev_slice_ns = prev == 0 ? 0 : 3'000'000;
    record.prev_prio = prio(prev);
    record.next_prio = prio(next);
    record.resched_tid = why.by;
    current_[cpu] = next;
    if (why.state == 0x80) number_.erase(prev);
    return add(record);
  }
  // Who is on the CPU without a record of it.
  void has(std::uint16_t cpu, std::uint32_t tid) { current_[cpu] = tid; }
  void set_prio(std::uint32_t tid, int prio) { prio_[tid] = prio; }
  void set_number(std::uint32_t tid, std::uint32_t number) { number_[tid] = number; }

  schedscope_waking& wake(std::uint64_t t, std::uint32_t tid, std::uint32_t waker = 0,
                          std::uint16_t flags = 0) {
    auto record = make_record<schedscope_waking>(SCHEDSCOPE_REC_WAKING, t, 0, flags);
    record.tid = tid;
    record.waker_tid = waker;
    return add(record);
  }
  // Stands before the switch of `tid` away from `cpu` at `t`.
  schedscope_futex& futex(std::uint64_t t, std::uint16_t cpu, std::uint32_t tid, std::uint64_t word,
                          std::uint32_t owner = 0) {
    auto record = make_record<schedscope_futex>(SCHEDSCOPE_REC_FUTEX, t, cpu,
                                                SCHEDSCOPE_FUTEX_VALUE | SCHEDSCOPE_FUTEX_MUTEX);
    record.tid = tid;
    record.word = word;
    record.op = 128;  // FUTEX_WAIT_PRIVATE
    record.expected = record.value = 2;
    record.users = 1;
    record.owner = owner;
    return add(record);
  }
  void fork(std::uint64_t t, std::uint32_t parent, std::uint32_t tid, std::uint32_t pid = 0) {
    auto record = make_record<schedscope_fork>(SCHEDSCOPE_REC_FORK, t, 0);
    record.parent_tid = parent;
    record.tid = tid;
    record.pid = pid == 0 ? tid : pid;
    add(record);
    number_[tid] = 0;
  }
  void wake_new(std::uint64_t t, std::uint32_t tid) {
    auto record = make_record<schedscope_waking>(SCHEDSCOPE_REC_WAKEUP_NEW, t, 0);
    record.tid = tid;
    add(record);
    number_[tid] = 0;
  }
  schedscope_task& task(std::uint64_t t, std::uint32_t tid, std::uint16_t flags,
                        std::uint32_t state = 0, std::string_view comm = "thread") {
    auto record = make_record<schedscope_task>(SCHEDSCOPE_REC_TASK, t, SCHEDSCOPE_CPU_NONE, flags);
    record.tid = tid;
    record.pid = tid;
    record.state = state;
    record.start_ns = tid;
    record.prio = prio(tid);
    comm.copy(reinterpret_cast<char*>(record.comm), sizeof(record.comm));
    return add(record);
  }
  void hotplug(std::uint64_t t, std::uint32_t of_cpu, std::uint16_t flags, std::uint16_t cpu = 1) {
    auto record = make_record<schedscope_hotplug>(SCHEDSCOPE_REC_HOTPLUG, t, cpu, flags);
    record.of_cpu = of_cpu;
    add(record);
  }
  // Stands before the switch of `tid` away from CPU 0 at `t`.
  schedscope_counts& counts(std::uint64_t t, std::uint32_t tid, std::uint64_t switches,
                            std::uint64_t run_ns) {
    auto record = make_record<schedscope_counts>(SCHEDSCOPE_REC_COUNTS, t, 0);
    record.tid = tid;
    record.switches = switches;
    record.run_ns = run_ns;
    return add(record);
  }
  // Of `tid` on `cpu`, for the `for_ns` that end at `t`: right before its switch, or in between.
  schedscope_interrupts& interrupts(std::uint64_t t, std::uint16_t cpu, std::uint32_t tid,
                                    std::uint64_t for_ns, std::uint64_t hard_ns,
                                    std::uint64_t soft_ns = 0) {
    auto record = make_record<schedscope_interrupts>(SCHEDSCOPE_REC_INTERRUPTS, t, cpu);
    record.tid = tid;
    record.of_cpu = cpu;
    record.for_ns = for_ns;
    record.hard_ns = hard_ns;
    record.hard_count = hard_ns != 0 ? 1 : 0;
    record.soft_ns = soft_ns;
    record.soft_count = soft_ns != 0 ? 1 : 0;
    return add(record);
  }
  // Of `tid` as it takes `cpu` or leaves it, right before that switch.
  schedscope_eevdf& eevdf(std::uint64_t t, std::uint16_t cpu, std::uint32_t tid,
                          std::uint16_t flags, std::uint64_t vruntime, std::uint64_t deadline = 0,
                          std::int64_t lag = 0) {
    auto record = make_record<schedscope_eevdf>(SCHEDSCOPE_REC_EEVDF, t, cpu, flags);
    record.tid = tid;
    record.vruntime = vruntime;
    record.deadline = deadline;
    record.lag = lag;
    return add(record);
  }
  void lost(std::uint16_t cpu, std::uint64_t begin, std::uint64_t end, std::uint64_t count = 1,
            std::uint32_t tid = 0) {
    auto record = make_record<schedscope_lost>(SCHEDSCOPE_REC_LOST, end, cpu);
    record.begin_ns = begin;
    record.end_ns = end;
    record.count = count;
    record.tid = tid;
    record.cause = tid != 0 ? SCHEDSCOPE_LOST_OVERRUN : SCHEDSCOPE_LOST_RING_FULL;
    add(record);
  }
  void user(std::uint64_t t, std::uint32_t carrier, std::uint16_t kind, std::uint64_t id,
            std::uint32_t pid = 1) {
    auto record = make_record<schedscope_user>(kind, t);
    record.tid = carrier;
    record.pid = pid;
    record.id = id;
    add(record);
  }
  void run(std::uint64_t t, std::uint32_t carrier, std::uint64_t id) {
    user(t, carrier, SCHEDSCOPE_REC_USER_SWITCH, id);
  }
  void ready(std::uint64_t t, std::uint32_t carrier, std::uint64_t id) {
    user(t, carrier, SCHEDSCOPE_REC_USER_READY, id);
  }
  void named(std::uint64_t t, std::uint32_t carrier, std::uint16_t kind, std::uint64_t id,
             std::string_view name) {
    auto record = make_record<schedscope_user_name>(kind, t);
    record.tid = carrier;
    record.pid = 1;
    record.id = id;
    name.copy(reinterpret_cast<char*>(record.name), sizeof(record.name));
    add(record);
  }

  [[nodiscard]] std::size_t size() const { return records_.size(); }
  [[nodiscard]] RecordView operator[](std::size_t i) const {
    return RecordView(reinterpret_cast<const schedscope_rec*>(records_[i].data()));
  }

 private:
  static std::uint32_t idle_key(std::uint16_t cpu) { return 0x80000000U + cpu; }
  [[nodiscard]] std::int16_t prio(std::uint32_t tid) const {
    const auto it = prio_.find(tid);
    return static_cast<std::int16_t>(it == prio_.end() ? 120 : it->second);
  }

  std::vector<std::vector<std::uint64_t>> records_;
  std::map<std::uint16_t, std::uint32_t> current_;
  std::map<std::uint32_t, std::uint32_t> number_;
  std::map<std::uint32_t, int> prio_;
};

// One stretch of a thread, a CPU or a user thread, as a test compares it.
struct Stretch {
  std::string what;
  std::uint64_t begin = 0, end = 0;
};

// Keeps all that a timeline finds.
class Kept final : public Sink {
 public:
  explicit Kept(bool user_spans = true) : user_spans_(user_spans) {}

  void slice(const Slice& slice) override {
    slices.push_back(slice);
    std::string what = fmt::format("{}run", slice.begin_cut ? "~" : "");
    threads[slice.thread].push_back({what, slice.begin_ns, slice.end_ns});
    ends[slice.thread].push_back(slice.end_cut ? "~" : std::string(name_of(slice.end)));
    cpus[slice.cpu].push_back({"run", slice.begin_ns, slice.end_ns});
  }
  void span(const Span& span) override {
    spans.push_back(span);
    threads[span.thread].push_back(
        {fmt::format("{}", name_of(span.state)), span.begin_ns, span.end_ns});
  }
  void cpu_span(const CpuSpan& span) override {
    cpus[span.cpu].push_back({span.state == CpuState::idle  ? "idle"
                              : span.state == CpuState::off ? "off"
                                                            : "unknown",
                              span.begin_ns, span.end_ns});
  }
  void user_span(const UserSpan& span) override {
    users[span.user].push_back({std::string(name_of(span.state)), span.begin_ns, span.end_ns});
  }
  void hostages(const HostageSpan& span) override { hostage_spans.push_back(span); }
  [[nodiscard]] bool wants_user_spans() const override { return user_spans_; }

  // "wait 0-10, run 10-20 blocked, sleep 20-30"; equal neighbours become one.
  [[nodiscard]] std::string of_thread(ThreadIndex index) const {
    std::string text;
    std::size_t slice = 0;
    const auto it = threads.find(index);
    if (it == threads.end()) return text;
    for (const Stretch& s : it->second) {
      if (!text.empty()) text += ", ";
      text += fmt::format("{} {}-{}", s.what, s.begin, s.end);
      if (s.what.ends_with("run")) text += fmt::format(" {}", ends.at(index)[slice++]);
    }
    return text;
  }
  [[nodiscard]] std::string of_cpu(std::uint16_t cpu) const { return merged(cpus, cpu); }
  [[nodiscard]] std::string of_user(UserIndex user) const { return merged(users, user); }

  std::vector<Slice> slices;
  std::vector<Span> spans;
  std::vector<HostageSpan> hostage_spans;
  std::map<ThreadIndex, std::vector<Stretch>> threads;
  std::map<ThreadIndex, std::vector<std::string>> ends;
  std::map<std::uint16_t, std::vector<Stretch>> cpus;
  std::map<UserIndex, std::vector<Stretch>> users;

 private:
  template <typename Map, typename Key>
  static std::string merged(const Map& map, Key key) {
    std::string text;
    const auto it = map.find(key);
    if (it == map.end()) return text;
    for (std::size_t i = 0; i < it->second.size(); ++i) {
      Stretch s = it->second[i];
      while (i + 1 < it->second.size() && it->second[i + 1].what == s.what &&
             it->second[i + 1].begin == s.end) {
        s.end = it->second[++i].end;
      }
      text += fmt::format("{}{} {}-{}", text.empty() ? "" : ", ", s.what, s.begin, s.end);
    }
    return text;
  }

  bool user_spans_;
};

// A script read to its end.
struct Told {
  Told(const Script& script, std::uint64_t end,
       Timeline::Scope scope = Timeline::Scope::whole_machine, std::uint32_t cpus = 1,
       std::uint64_t start = 0)
      : kept(), timeline(start, cpus, std::vector<Sink*>{&kept}, scope) {
    for (std::size_t i = 0; i < script.size(); ++i) timeline.add(script[i]);
    timeline.finish(end);
  }
  // The stretches of the `nth` thread that had this tid.
  [[nodiscard]] std::string thread(std::uint32_t tid, int nth = 0) const {
    for (const Thread& thread : timeline.threads()) {
      if (thread.tid == tid && nth-- == 0) return kept.of_thread(thread.index);
    }
    return "no such thread";
  }
  [[nodiscard]] std::string user(std::uint64_t id, int nth = 0) const {
    for (const UserThread& user : timeline.user_threads()) {
      if (user.id == id && nth-- == 0) return kept.of_user(user.index);
    }
    return "no such user thread";
  }

  Kept kept;
  Timeline timeline;
};

// "" when the stretches tile [begin, end) without holes and overlaps, else what is wrong.
inline std::string tiling(const std::vector<Stretch>& stretches, std::uint64_t begin,
                          std::uint64_t end) {
  std::uint64_t at = begin;
  for (const Stretch& s : stretches) {
    if (s.begin != at || s.end < s.begin) {
      return fmt::format("{} {}-{} after {}", s.what, s.begin, s.end, at);
    }
    at = s.end;
  }
  return at == end ? "" : fmt::format("ends at {}, not at {}", at, end);
}

// "" when all threads, CPUs and user threads are tiled and the sums of the latter agree.
inline std::string identities(const Told& told, std::uint64_t start, std::uint64_t end) {
  const auto find = [](const auto& map, auto key) {
    const auto it = map.find(key);
    return it == map.end() ? std::vector<Stretch>{} : it->second;
  };
  for (const Thread& t : told.timeline.threads()) {
    const std::string wrong = tiling(find(told.kept.threads, t.index), t.born_ns, t.gone_ns);
    if (!wrong.empty()) return fmt::format("thread {} ({}): {}", t.index, t.tid, wrong);
  }
  for (auto [cpu, stretches] : told.kept.cpus) {
    // A slice that is held back for its reason comes after what followed it on the CPU.
    std::sort(stretches.begin(), stretches.end(), [](const Stretch& a, const Stretch& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    });
    const std::string wrong = tiling(stretches, start, end);
    if (!wrong.empty()) return fmt::format("cpu {}: {}", cpu, wrong);
  }
  for (const UserThread& u : told.timeline.user_threads()) {
    const std::vector<Stretch> stretches = find(told.kept.users, u.index);
    const std::string wrong = tiling(stretches, u.born_ns, u.gone_ns);
    if (!wrong.empty()) return fmt::format("user thread {}: {}", u.id, wrong);
    std::map<std::string, std::uint64_t> sums;
    for (const Stretch& s : stretches) sums[s.what] += s.end - s.begin;
    for (std::size_t i = 0; i < user_state_count; ++i) {
      const std::string name(name_of(static_cast<UserState>(i)));
      if (sums[name] != u.state_ns[i]) {
        return fmt::format("user thread {}: {} is {} in spans, {} in the sum", u.id, name,
                           sums[name], u.state_ns[i]);
      }
    }
  }
  return "";
}

}  // namespace schedscope::timeline::testing
