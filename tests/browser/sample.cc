// SPDX-License-Identifier: GPL-2.0-only
// page-sample [--gap] [--seconds S] [--threads N] OUT: writes a made-up capture that has something
// of everything a report can show: spinners, sleepers, blockers, a ping-pong pair, threads that
// fight for a lock, carriers of user threads, exits, cgroups and a move from one to another, a pid
// namespace, stacks, interrupts, virtual times, names that try to break out of the page and, with
// --gap, a loss.
#include <linux/futex.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "capture/writer.h"
#include "schema/record.h"

using namespace schedscope;

namespace {

constexpr std::uint64_t start_ns = 1'000'000'000'000;
constexpr std::uint64_t us = 1000, ms = 1000 * us;
constexpr std::uint64_t slice_ns = 3 * ms;
constexpr std::uint16_t cpu_count = 4;
constexpr std::uint32_t running = 0, sleeping = 1, blocked = 2, dead = 0x80;

enum class Kind { spinner, sleeper, blocker, ping, carrier, mortal, locker };

struct Cgroup {
  std::uint64_t id;
  const char* path;  // nullptr: gone before anybody looked
};
constexpr Cgroup service{10, "/system.slice/spin.service"};
constexpr Cgroup hostile{11, "/</script><img src=x>/a&b/\"run_ns\":1234567890123456"};
constexpr Cgroup gone{12, nullptr};
constexpr Cgroup container{
    13, "/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope"};
constexpr Cgroup pool{14, "/pool.slice"};
constexpr std::uint64_t container_namespace = 4026532501;

struct Thread {
  std::uint32_t tid, pid;
  std::string comm;
  Kind kind;
  std::uint16_t cpu = 0;
  bool pinned = false;
  std::uint32_t state = sleeping;
  bool queued = false;
  std::uint64_t burst_ns = 0;  // what it still wants to run
  std::uint64_t switches = 100, run_ns = 0;
  std::uint64_t on_since = 0;
  std::uint32_t request_ns = slice_ns;
  std::uint64_t vruntime = 0, deadline = 0;
  std::size_t peer = 0;   // ping: whom it wakes
  std::size_t fiber = 0;  // carrier: its current one, 0 none
  std::uint64_t cgroup_id = 0;
  std::uint64_t pace = 1;  // so many times less than others it has to do
  bool in_call = false;
};

struct Cpu {
  int current = -1;
  std::uint64_t token = 0;
  std::deque<std::size_t> queue;
  std::uint64_t since = start_ns;      // what is on it
  std::uint64_t vruntime = 1000 * ms;  // of its queue
  std::uint64_t produced = 0, lost = 0, switches = 0, idle_switches = 50;
};

struct Event {
  std::uint64_t at, order;
  std::function<void()> act;
  bool operator<(const Event& other) const {
    return at != other.at ? at > other.at : order > other.order;
  }
};

class Sample {
 public:
  Sample(capture::Writer& writer, std::uint64_t seconds, bool gap)
      : writer_(writer), end_ns_(start_ns + seconds * 1000 * ms), gap_(gap), cpus_(cpu_count) {}

  void make(int extra_threads) {
    people(extra_threads);
    clock();
    frames();
    cgroups();
    tasks(SCHEDSCOPE_TASK_BEGIN);
    runtime();
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      after(random(100 * us * threads_[i].pace), [this, i] { wake(i, true); });
    }
    after((end_ns_ - start_ns) / 2, [this] { move(); });
    while (!events_.empty() && events_.top().at < end_ns_) {
      Event event = events_.top();
      events_.pop();
      now_ = std::max(now_, event.at);
      event.act();
      if (writer_.pending_records() > 20'000) (void)writer_.flush(now_);
    }
    now_ = end_ns_;
    end();
  }

 private:
  void people(int extra) {
    cgroup_ = &service;
    add(100, 100, "spinner", Kind::spinner, 0, true);
    threads_[add(101, 100, "spin-rival", Kind::spinner, 0, true)].request_ns = 1 * ms;
    cgroup_ = &hostile;
    add(200, 200, "</script><img o", Kind::sleeper, 1);
    add(201, 200, "a&b<b>\"'", Kind::sleeper, 2);
    add(202, 200, std::string("\xff\xfe\x1b[31m"), Kind::sleeper, 3);
    add(203, 200, "käse-日本", Kind::sleeper, 1);
    cgroup_ = &gone;
    writer_index_ = add(300, 300, "writer", Kind::blocker, 2);
    const std::size_t ping = add(400, 400, "ping", Kind::ping, 3, true);
    const std::size_t pong = add(401, 400, "pong", Kind::ping, 3, true);
    threads_[ping].peer = pong;
    threads_[pong].peer = ping;
    cgroup_ = &container;
    add(500, 500, "fiber-server", Kind::carrier, 1);
    add(501, 500, "carrier-2", Kind::carrier, 2);
    for (int i = 0; i < 3; ++i) add(700 + i, 700, "locker", Kind::locker, i + 1);
    cgroup_ = nullptr;
    for (int i = 0; i < 12; ++i) add(600 + i, 600, "mortal", Kind::mortal, i % cpu_count);
    cgroup_ = &pool;
    for (int i = 0; i < extra; ++i) {
      add(1000 + i, 1000 + i / 8 * 8, "pool-" + std::to_string(i), Kind::sleeper, i % cpu_count);
      threads_.back().pace = static_cast<std::uint64_t>(std::max(1, extra / 64));
    }
    fibers_.resize(1 + 16);
    for (std::size_t i = 1; i < fibers_.size(); ++i) ready_.push_back(i);
  }

  std::size_t add(int tid, int pid, std::string comm, Kind kind, int cpu, bool pinned = false) {
    threads_.push_back({.tid = static_cast<std::uint32_t>(tid),
                        .pid = static_cast<std::uint32_t>(pid),
                        .comm = std::move(comm),
                        .kind = kind,
                        .cpu = static_cast<std::uint16_t>(cpu),
                        .pinned = pinned,
                        .cgroup_id = cgroup_ != nullptr ? cgroup_->id : 0});
    return threads_.size() - 1;
  }

  // ---- records ----

  template <typename T>
  void keep(std::uint16_t cpu, const T& record) {
    Cpu& at = cpus_[cpu];
    ++at.produced;
    if (record.rec.kind == SCHEDSCOPE_REC_SWITCH) ++at.switches;
    const std::uint64_t middle = start_ns + (end_ns_ - start_ns) / 2;
    if (gap_ && cpu == 1 && now_ >= middle && now_ < middle + 20 * ms) {
      ++at.lost;
      return;
    }
    if (gap_ && cpu == 1 && at.lost != 0 && !told_) {
      told_ = true;
      auto lost = make_record<schedscope_lost>(SCHEDSCOPE_REC_LOST, now_, 1);
      lost.count = at.lost;
      lost.begin_ns = middle;
      lost.end_ns = now_;
      lost.cause = SCHEDSCOPE_LOST_RING_FULL;
      writer_.add(cpu, view_of(lost));
    }
    writer_.add(cpu, view_of(record));
  }

  void clock() {
    auto record = make_record<schedscope_clock>(SCHEDSCOPE_REC_CLOCK, now_);
    record.boot_ns = now_ + 7'000'000'000;
    record.real_ns = now_ + 1'700'000'000'000'000'000;
    record.error_ns = 80;
    writer_.add(capture::Writer::agent_source, view_of(record));
  }

  schedscope_task task(const Thread& thread, std::uint16_t flags) {
    auto record =
        make_record<schedscope_task>(SCHEDSCOPE_REC_TASK, now_, SCHEDSCOPE_CPU_NONE, flags);
    record.tid = thread.tid;
    record.pid = thread.pid;
    record.ppid = 1;
    record.state = thread.state;
    record.start_ns = thread.tid;
    record.cgroup_id = thread.cgroup_id;
    record.switches = thread.switches;
    const bool on_cpu = cpus_[thread.cpu].current >= 0 &&
                        &threads_[static_cast<std::size_t>(cpus_[thread.cpu].current)] == &thread;
    record.run_ns = thread.run_ns + (on_cpu ? now_ - thread.on_since : 0);
    record.slice_ns = thread.request_ns;
    record.prio = 120;
    record.task_cpu = thread.cpu;
    if (on_cpu) record.rec.flags |= SCHEDSCOPE_TASK_ON_CPU | SCHEDSCOPE_TASK_ON_RQ;
    if (thread.queued) record.rec.flags |= SCHEDSCOPE_TASK_ON_RQ;
    thread.comm.copy(reinterpret_cast<char*>(record.comm), SCHEDSCOPE_COMM_LEN - 1);
    return record;
  }

  void tasks(std::uint16_t flags) {
    for (const Thread& thread : threads_) {
      if (thread.state == dead) continue;
      writer_.add(capture::Writer::agent_source, view_of(task(thread, flags)));
      if (thread.cgroup_id == container.id) name_space(thread);
    }
  }

  void name_space(const Thread& thread) {
    auto record =
        make_record<schedscope_namespace>(SCHEDSCOPE_REC_NAMESPACE, now_, SCHEDSCOPE_CPU_NONE);
    record.tid = thread.tid;
    record.level = 1;
    record.ns_tid = thread.tid - 499;
    record.ns_pid = thread.pid - 499;
    record.ns_id = container_namespace;
    writer_.add(capture::Writer::agent_source, view_of(record));
  }

  void cgroups() {
    for (const Cgroup& cgroup : {service, hostile, container, pool}) {
      const std::string_view path = cgroup.path;
      auto record = make_record<schedscope_cgroup>(SCHEDSCOPE_REC_CGROUP, now_);
      record.cgroup_id = cgroup.id;
      record.path_bytes = static_cast<std::uint32_t>(path.size());
      path.copy(reinterpret_cast<char*>(record.part), sizeof(record.part));
      writer_.add(capture::Writer::agent_source, view_of(record));
    }
  }

  // The writer goes from one cgroup to another.
  void move() {
    Thread& thread = threads_[writer_index_];
    thread.cgroup_id = hostile.id;
    auto record = task(thread, SCHEDSCOPE_TASK_MOVED);
    record.rec.cpu = 0;
    keep(0, record);
  }

  void runtime() {
    for (const Thread& thread : threads_) {
      if (thread.kind != Kind::carrier) continue;
      auto record = named(SCHEDSCOPE_REC_USER_CARRIER, thread, 1, "sample-fibers");
      writer_.add(source(thread), view_of(record));
      for (std::size_t i = 1; i < fibers_.size() && thread.tid == 500; ++i) {
        const std::string name = i == 3 ? "</script><b>fiber" : "fiber-" + std::to_string(i);
        auto naming = named(SCHEDSCOPE_REC_USER_NAME, thread, i, i == 5 ? "" : name);
        if (i != 5) writer_.add(source(thread), view_of(naming));
        user(SCHEDSCOPE_REC_USER_READY, thread, i);
      }
    }
  }

  schedscope_user_name named(std::uint16_t kind, const Thread& thread, std::uint64_t id,
                             std::string_view name) {
    auto record = make_record<schedscope_user_name>(kind, now_);
    record.tid = thread.tid;
    record.pid = thread.pid;
    record.id = id;
    name.copy(reinterpret_cast<char*>(record.name), SCHEDSCOPE_USER_NAME_LEN - 1);
    return record;
  }

  static std::uint64_t source(const Thread& thread) {
    return capture::Writer::carrier_source + thread.tid;
  }

  // Each thread sleeps in two places; the kernel's stack is always the same.
  void stacks(std::uint16_t number) {
    const Thread& thread = threads_[static_cast<std::size_t>(cpus_[number].current)];
    auto record = make_record<schedscope_stack>(SCHEDSCOPE_REC_STACK, now_, number);
    record.tid = thread.tid;
    record.kernel = 1;
    record.user = thread.switches % 5 == 0 ? SCHEDSCOPE_STACK_GONE
                                           : 2 + static_cast<std::uint32_t>(thread.switches % 2);
    keep(number, record);
  }

  void frames() {
    const std::array<std::vector<std::string_view>, 3> all = {
        {{"__schedule", "schedule", "do_syscall_64"},
         {"<img src=x onerror=alert(1)>", "_ZN4pool4workEv", "main"},
         {"read", "main"}}};
    for (std::uint32_t stack = 0; stack < all.size(); ++stack) {
      auto record = make_record<schedscope_frame>(SCHEDSCOPE_REC_FRAME, now_);
      record.rec.flags = stack == 0 ? SCHEDSCOPE_FRAME_KERNEL : SCHEDSCOPE_FRAME_IN_FILE;
      record.stack = stack + 1;
      record.frames = static_cast<std::uint32_t>(all[stack].size());
      record.parts = 1;
      for (const std::string_view symbol : all[stack]) {
        std::ranges::fill(record.symbol, 0);
        symbol.copy(reinterpret_cast<char*>(record.symbol), sizeof(record.symbol));
        writer_.add(capture::Writer::agent_source, view_of(record));
        ++record.index;
      }
    }
  }

  // A timer interrupt each tick of what leaves the CPU, and a softirq with each second one.
  void interrupts(std::uint16_t number) {
    constexpr std::uint64_t tick = 250 * us;
    Cpu& cpu = cpus_[number];
    const std::uint64_t for_ns = now_ - cpu.since;
    cpu.since = now_;
    if (for_ns < tick) return;
    auto record = make_record<schedscope_interrupts>(SCHEDSCOPE_REC_INTERRUPTS, now_, number);
    record.tid = cpu.current >= 0 ? threads_[static_cast<std::size_t>(cpu.current)].tid : 0;
    record.of_cpu = number;
    record.for_ns = for_ns;
    record.hard_count = static_cast<std::uint32_t>(for_ns / tick);
    record.hard_ns = record.hard_count * 3 * us + 7;
    record.soft_count = record.hard_count / 2;
    record.soft_ns = record.soft_count * 5 * us;
    keep(number, record);
  }

  // It has had up to 1.3 ms too little, or 0.7 ms too much.
  void comes(std::uint16_t number, Thread& thread) {
    const std::uint64_t owed = thread.switches * 7919 * us % (2 * ms);
    thread.vruntime = cpus_[number].vruntime + 700 * us - owed;
    thread.deadline = thread.vruntime + thread.request_ns;
    virtual_time(number, thread, SCHEDSCOPE_EEVDF_IN);
  }

  void leaves(std::uint16_t number, std::uint32_t state) {
    Cpu& cpu = cpus_[number];
    Thread& thread = threads_[static_cast<std::size_t>(cpu.current)];
    const std::uint64_t ran = now_ - thread.on_since;
    thread.vruntime += ran;
    cpu.vruntime += ran / (cpu.queue.size() + 1);
    const bool owes = thread.vruntime > cpu.vruntime;
    virtual_time(number, thread,
                 state == running ? 0
                 : owes           ? SCHEDSCOPE_EEVDF_DELAYED
                                  : SCHEDSCOPE_EEVDF_OFF_QUEUE);
  }

  void virtual_time(std::uint16_t number, const Thread& thread, unsigned flags) {
    flags |= SCHEDSCOPE_EEVDF_DEADLINE | SCHEDSCOPE_EEVDF_LAG | SCHEDSCOPE_EEVDF_QUEUE |
             SCHEDSCOPE_EEVDF_PROTECTED;
    if (thread.request_ns != slice_ns) flags |= SCHEDSCOPE_EEVDF_CUSTOM;
    auto record = make_record<schedscope_eevdf>(SCHEDSCOPE_REC_EEVDF, now_, number,
                                                static_cast<std::uint16_t>(flags));
    record.tid = thread.tid;
    record.vruntime = thread.vruntime;
    record.deadline = thread.deadline;
    record.queue_vruntime = cpus_[number].vruntime;
    record.lag = static_cast<std::int64_t>(record.queue_vruntime - thread.vruntime);
    record.protected_until = thread.deadline - thread.request_ns / 2;
    record.slice_ns = thread.request_ns;
    record.weight = 1048576;
    keep(number, record);
  }

  void user(std::uint16_t kind, const Thread& thread, std::uint64_t id) {
    auto record = make_record<schedscope_user>(kind, now_);
    record.tid = thread.tid;
    record.pid = thread.pid;
    record.id = id;
    writer_.add(source(thread), view_of(record));
  }

  // ---- the scheduler ----

  void after(std::uint64_t ns, std::function<void()> act) {
    events_.push({now_ + ns, ++order_, std::move(act)});
  }

  std::uint64_t random(std::uint64_t typical) {
    std::lognormal_distribution<double> draw(0, 0.7);
    return 1 + static_cast<std::uint64_t>(static_cast<double>(typical) * draw(engine_));
  }

  void switch_to(std::uint16_t number, int next, std::uint32_t state, std::uint16_t flags,
                 std::uint32_t by = 0) {
    Cpu& cpu = cpus_[number];
    now_ += 600;
    if (cpu.current >= 0 && (state == sleeping || state == blocked)) stacks(number);
    if (futex_) {
      futex_->rec.time_ns = now_;
      futex_->rec.cpu = number;
      keep(number, *futex_);
      futex_.reset();
    }
    interrupts(number);
    if (cpu.current >= 0) leaves(number, state);
    if (next >= 0) comes(number, threads_[static_cast<std::size_t>(next)]);
    auto record = make_record<schedscope_switch>(SCHEDSCOPE_REC_SWITCH, now_, number, flags);
    record.prev_prio = record.next_prio = 120;
    record.prev_state = state;
    record.resched_tid = by;
    if (cpu.current >= 0) {
      Thread& prev = threads_[static_cast<std::size_t>(cpu.current)];
      record.prev_tid = prev.tid;
      record.prev_switches = static_cast<std::uint32_t>(++prev.switches);
      record.prev_slice_ns = prev.request_ns;
      prev.run_ns += now_ - prev.on_since;
      prev.state = state;
    } else {
      record.prev_switches = static_cast<std::uint32_t>(++cpu.idle_switches);
    }
    if (next >= 0) {
      Thread& thread = threads_[static_cast<std::size_t>(next)];
      record.next_tid = thread.tid;
      thread.on_since = now_;
      thread.cpu = number;
      thread.queued = false;
    }
    keep(number, record);
    cpu.current = next;
    plan(number);
  }

  // When the current thread's burst or slice ends.
  void plan(std::uint16_t number) {
    Cpu& cpu = cpus_[number];
    const std::uint64_t token = ++cpu.token;
    if (cpu.current < 0) return;
    const Thread& thread = threads_[static_cast<std::size_t>(cpu.current)];
    const std::uint64_t stay = std::min<std::uint64_t>(thread.burst_ns, thread.request_ns);
    const std::uint64_t began = now_;
    after(stay, [this, number, token, stay, began] {
      Cpu& at = cpus_[number];
      if (at.token != token) return;
      Thread& current = threads_[static_cast<std::size_t>(at.current)];
      current.burst_ns -= std::min(current.burst_ns, std::max(stay, now_ - began));
      if (current.burst_ns == 0) return done(number);
      if (at.queue.empty()) return plan(number);
      at.queue.push_back(static_cast<std::size_t>(at.current));
      current.queued = true;
      next(number, running, SCHEDSCOPE_SWITCH_PREEMPT | SCHEDSCOPE_SWITCH_TICK);
    });
  }

  void next(std::uint16_t number, std::uint32_t state, std::uint16_t flags, std::uint32_t by = 0) {
    Cpu& cpu = cpus_[number];
    int chosen = -1;
    if (!cpu.queue.empty()) {
      chosen = static_cast<int>(cpu.queue.front());
      cpu.queue.pop_front();
    }
    switch_to(number, chosen, state, flags, by);
  }

  void done(std::uint16_t number) {
    const auto index = static_cast<std::size_t>(cpus_[number].current);
    Thread& thread = threads_[index];
    switch (thread.kind) {
      case Kind::spinner:
        thread.burst_ns = random(40 * ms);
        return plan(number);
      case Kind::sleeper:
        sleep(number, index, sleeping, random(4 * ms * thread.pace), true, SYS_clock_nanosleep);
        return;
      case Kind::blocker:
        sleep(number, index, blocked, random(2 * ms), false, SYS_fsync);
        return;
      case Kind::ping:
        wake(thread.peer, false, number);
        thread.state = sleeping;
        return next(number, sleeping, SCHEDSCOPE_SWITCH_SYSCALL, SYS_read);
      case Kind::mortal: {
        auto record = make_record<schedscope_exit>(SCHEDSCOPE_REC_EXIT, now_, number);
        record.tid = thread.tid;
        record.pid = thread.pid;
        record.switches = thread.switches;
        record.run_ns = thread.run_ns + now_ - thread.on_since;
        keep(number, record);
        return next(number, dead, 0);
      }
      case Kind::carrier:
        return fiber(number, index);
      case Kind::locker:
        return locker(number, index);
    }
  }

  // Out of the lock, into it (or asleep until who has it hands it over), and out again.
  void locker(std::uint16_t number, std::size_t index) {
    Thread& thread = threads_[index];
    if (owner_ == index) {
      owner_.reset();
      if (!waiters_.empty()) {
        owner_ = waiters_.front();
        waiters_.pop_front();
        threads_[*owner_].burst_ns = random(900 * us);
        wake(*owner_, false, number);
      }
      return sleep(number, index, sleeping, random(600 * us), true, SYS_clock_nanosleep);
    }
    if (!owner_) {
      owner_ = index;
      thread.burst_ns = random(900 * us);
      return plan(number);
    }
    waiters_.push_back(index);
    futex_ = make_record<schedscope_futex>(SCHEDSCOPE_REC_FUTEX, now_, number,
                                           SCHEDSCOPE_FUTEX_VALUE | SCHEDSCOPE_FUTEX_MUTEX);
    futex_->tid = thread.tid;
    futex_->word = 0x7f00'dead'b000;
    futex_->op = FUTEX_WAIT_PRIVATE;
    futex_->expected = futex_->value = 2;
    futex_->users = 1;
    futex_->owner = threads_[*owner_].tid;
    next(number, sleeping, SCHEDSCOPE_SWITCH_SYSCALL, SYS_futex);
  }

  void sleep(std::uint16_t number, std::size_t index, std::uint32_t state, std::uint64_t for_ns,
             bool timer, std::uint32_t syscall) {
    after(for_ns, [this, index, timer] { wake(index, timer); });
    next(number, state, SCHEDSCOPE_SWITCH_SYSCALL, syscall);
  }

  void fiber(std::uint16_t number, std::size_t index) {
    Thread& thread = threads_[index];
    if (thread.fiber != 0 && !thread.in_call && random(100) > 400) {
      // A real system call, with the fiber on top of it: the others wait.
      thread.in_call = true;
      thread.burst_ns = random(30 * us);
      return sleep(number, index, sleeping, random(6 * ms), true, SYS_read);
    }
    thread.in_call = false;
    while (!parked_.empty() && parked_.front().first <= now_) {
      user(SCHEDSCOPE_REC_USER_READY, thread, parked_.front().second);
      ready_.push_back(parked_.front().second);
      parked_.pop_front();
    }
    if (thread.fiber != 0) {
      const bool again = random(100) > 120;
      user(again ? SCHEDSCOPE_REC_USER_READY : SCHEDSCOPE_REC_USER_PARK, thread, thread.fiber);
      if (again) {
        ready_.push_back(thread.fiber);
      } else {
        parked_.emplace_back(now_ + random(800 * us), thread.fiber);
      }
    }
    now_ += 30;
    thread.fiber = 0;
    if (!ready_.empty()) {
      thread.fiber = ready_.front();
      ready_.pop_front();
    }
    user(SCHEDSCOPE_REC_USER_SWITCH, thread, thread.fiber);
    thread.burst_ns = random(90 * us);
    if (thread.fiber != 0) return plan(number);
    sleep(number, index, sleeping, random(500 * us), true, SYS_epoll_wait);
  }

  void wake(std::size_t index, bool timer, int from = -1) {
    Thread& thread = threads_[index];
    if (thread.state == dead || thread.queued || thread.state == running) return;
    if (thread.burst_ns == 0) {
      constexpr std::uint64_t bursts[] = {40 * ms, 700 * us, 300 * us, 12 * us,
                                          60 * us, 90 * ms,  200 * us};
      thread.burst_ns = random(bursts[static_cast<std::size_t>(thread.kind)] / thread.pace);
    }
    std::uint16_t target = thread.cpu;
    for (std::uint16_t i = 0; !thread.pinned && i < cpu_count; ++i) {
      if (cpus_[target].current < 0) break;
      target = static_cast<std::uint16_t>((thread.cpu + i) % cpu_count);
    }
    const auto waker_cpu = from >= 0 ? static_cast<std::uint16_t>(from) : target;
    const int waker = cpus_[waker_cpu].current;
    auto record = make_record<schedscope_waking>(SCHEDSCOPE_REC_WAKING, now_, waker_cpu,
                                                 timer ? SCHEDSCOPE_WAKING_TIMER : 0);
    record.tid = thread.tid;
    record.waker_tid = waker >= 0 ? threads_[static_cast<std::size_t>(waker)].tid : 0;
    record.target_cpu = target;
    keep(waker_cpu, record);
    if (target != thread.cpu) {
      auto migrate = make_record<schedscope_migrate>(SCHEDSCOPE_REC_MIGRATE, now_, waker_cpu);
      migrate.tid = thread.tid;
      migrate.from_cpu = thread.cpu;
      migrate.to_cpu = target;
      keep(waker_cpu, migrate);
    }
    thread.queued = true;
    thread.state = running;
    thread.cpu = target;
    Cpu& cpu = cpus_[target];
    if (cpu.current < 0) {
      cpu.queue.push_back(index);
      after(1500, [this, target] {
        if (cpus_[target].current < 0 && !cpus_[target].queue.empty()) next(target, running, 0);
      });
    } else if (from < 0 && random(100) > 80) {
      preempt(target, index);
    } else {
      cpu.queue.push_back(index);
    }
  }

  void preempt(std::uint16_t number, std::size_t by) {
    Cpu& cpu = cpus_[number];
    const auto current = static_cast<std::size_t>(cpu.current);
    Thread& victim = threads_[current];
    const std::uint64_t ran = now_ - victim.on_since;
    victim.burst_ns = victim.burst_ns > ran ? victim.burst_ns - ran : 1 * us;
    victim.queued = true;
    cpu.queue.push_front(current);
    switch_to(number, static_cast<int>(by), running,
              SCHEDSCOPE_SWITCH_PREEMPT | SCHEDSCOPE_SWITCH_WAKEUP, threads_[by].tid);
  }

  void end() {
    tasks(SCHEDSCOPE_TASK_END);
    clock();
    for (std::uint16_t number = 0; number < cpu_count; ++number) {
      auto stats = make_record<schedscope_cpu_stats>(SCHEDSCOPE_REC_CPU_STATS, now_, number);
      stats.produced = cpus_[number].produced;
      stats.lost[SCHEDSCOPE_LOST_RING_FULL] = cpus_[number].lost;
      stats.switches = cpus_[number].switches;
      writer_.add(capture::Writer::agent_source, view_of(stats));
    }
    auto machine = make_record<schedscope_cpu_stats>(SCHEDSCOPE_REC_CPU_STATS, now_);
    for (const Cpu& cpu : cpus_) machine.switches += cpu.switches;
    machine.runs = 3 * machine.switches;
    machine.run_ns = 140 * machine.switches;
    writer_.add(capture::Writer::agent_source, view_of(machine));
    (void)writer_.flush(now_);
  }

  capture::Writer& writer_;
  std::uint64_t now_ = start_ns, end_ns_, order_ = 0;
  bool gap_, told_ = false;
  std::vector<Thread> threads_;
  std::vector<Cpu> cpus_;
  std::priority_queue<Event> events_;
  std::mt19937_64 engine_{42};
  const Cgroup* cgroup_ = nullptr;  // of those who are added
  std::size_t writer_index_ = 0;
  std::optional<schedscope_futex> futex_{};  // of the next switch
  std::optional<std::size_t> owner_{};       // of the lock
  std::deque<std::size_t> waiters_;
  std::vector<int> fibers_;
  std::deque<std::size_t> ready_;
  std::deque<std::pair<std::uint64_t, std::size_t>> parked_;
};

int fails(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message().c_str());
  return 3;
}

}  // namespace

int main(int argc, char** argv) {
  bool gap = false;
  std::uint64_t seconds = 2;
  int threads = 20;
  std::string out;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--gap") {
      gap = true;
    } else if (argument == "--seconds" && i + 1 < argc) {
      seconds = std::strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--threads" && i + 1 < argc) {
      threads = std::atoi(argv[++i]);
    } else {
      out = argument;
    }
  }
  capture::Machine machine;
  machine.kernel = "6.12.0-sample";
  machine.kernel_build = "#1 SMP PREEMPT_DYNAMIC made up";
  machine.cpus = machine.cpus_online = cpu_count;
  machine.hz = 250;
  machine.scheduler = "eevdf";
  machine.base_slice_ns = slice_ns;
  machine.preempt_model = "full";
  machine.witnesses = {"bpf"};
  machine.extras = {"interrupts", "eevdf"};
  machine.start_ns = start_ns;
  auto writer = capture::Writer::create(out, machine);
  if (!writer) return fails(writer.error());
  Sample(*writer, seconds, gap).make(threads);
  if (auto done = writer->finish(machine, start_ns + seconds * 1000 * ms); !done) {
    return fails(done.error());
  }
  return 0;
}
