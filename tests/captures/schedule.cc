// SPDX-License-Identifier: GPL-2.0-only
//
// Writes a capture of a schedule whose numbers are known, with the writer and the schema of the
// revision that it is compiled with: tests/captures/make compiles it with old ones. It names what
// the oldest of them has; what came later it fills in where it is there.
//
// On CPU 0 a worker sleeps 1 ms, waits 0.5 ms and runs 1 ms, a hundred times; a fiber is on it for
// 0.8 ms of that. On CPU 1 a child is forked, waits 1 ms, runs 10 ms and exits; then 7 records of
// that CPU are lost. Everything else that a capture can say of itself is said once.
#include <algorithm>
#include <cstdio>
#include <string_view>

#include "capture/writer.h"
#include "schema/record.h"

namespace {

using namespace schedscope;
using capture::Machine;
using capture::Writer;

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t start = 5'000 * ms;
constexpr std::uint64_t end = start + 300 * ms;
constexpr std::uint64_t cycle = 5 * ms / 2;
constexpr std::uint64_t rounds = 100;
constexpr std::uint32_t worker = 100, parent = 200, child = 300;

template <typename Record>
void set_run_at(Record& record, std::uint64_t at) {
  if constexpr (requires { record.run_at_ns; }) record.run_at_ns = at;
}

template <typename Account>
void set_ends(Account& account, std::uint64_t slices) {
  if constexpr (requires { account.ends; }) {
    account.ends[0] = slices;  // blocked
    account.longest_slice_ns = slices != 0 ? ms : 0;
    account.longest_wait_ns = slices != 0 ? ms / 2 : 0;
  }
}

class Schedule {
 public:
  explicit Schedule(Writer& writer) : writer_(writer) {}

  void begin() {
    task(worker, "worker", SCHEDSCOPE_TASK_BEGIN, start, 0);
    task(parent, "parent", SCHEDSCOPE_TASK_BEGIN, start, 0);
    clock(start);
    account(SCHEDSCOPE_ACCOUNT_BEGIN, start, 0);
    auto carrier = make_record<schedscope_user_name>(SCHEDSCOPE_REC_USER_CARRIER, start, 0);
    carrier.tid = carrier.pid = worker;
    carrier.id = worker;
    carrier.name[0] = 'r';
    writer_.add(fibers, view_of(carrier));
    carrier.rec.kind = SCHEDSCOPE_REC_USER_NAME;
    carrier.id = 7;
    carrier.name[0] = 'f';
    writer_.add(fibers, view_of(carrier));
  }

  void round(std::uint64_t number) {
    const std::uint64_t t = start + number * cycle;
    wake(SCHEDSCOPE_REC_WAKING, t + ms, 0, worker, 0);
    to(t + 3 * ms / 2, 0, 0, worker, 0);
    fiber(SCHEDSCOPE_REC_USER_READY, t + 31 * ms / 20);
    fiber(SCHEDSCOPE_REC_USER_SWITCH, t + 8 * ms / 5);
    fiber(SCHEDSCOPE_REC_USER_PARK, t + 12 * ms / 5);
    to(t + cycle, 0, worker, 0, 1);
  }

  void life() {
    auto fork = make_record<schedscope_fork>(SCHEDSCOPE_REC_FORK, start + 10 * ms, 1);
    fork.parent_tid = parent;
    fork.tid = fork.pid = child;
    writer_.add(1, view_of(fork));
    wake(SCHEDSCOPE_REC_WAKEUP_NEW, start + 11 * ms, 1, child, parent);
    to(start + 12 * ms, 1, 0, child, 0);
    auto exec = make_record<schedscope_exec>(SCHEDSCOPE_REC_EXEC, start + 13 * ms, 1);
    exec.tid = exec.old_tid = child;
    writer_.add(1, view_of(exec));
    task(child, "child", 0, start + 13 * ms, 0);
    auto migrate = make_record<schedscope_migrate>(SCHEDSCOPE_REC_MIGRATE, start + 14 * ms, 1);
    migrate.tid = parent;
    migrate.to_cpu = 1;
    writer_.add(1, view_of(migrate));
    auto exit = make_record<schedscope_exit>(SCHEDSCOPE_REC_EXIT, start + 21 * ms, 1);
    exit.tid = exit.pid = child;
    exit.run_ns = 9 * ms;
    set_run_at(exit, start + 21 * ms);
    writer_.add(1, view_of(exit));
    to(start + 22 * ms, 1, child, 0, 0x80);
    auto lost = make_record<schedscope_lost>(SCHEDSCOPE_REC_LOST, start + 60 * ms, 1);
    lost.count = 7;
    lost.begin_ns = start + 50 * ms;
    lost.end_ns = start + 60 * ms;
    writer_.add(1, view_of(lost));
  }

  void finish() {
    fiber(SCHEDSCOPE_REC_USER_END, start + rounds * cycle);
    task(worker, "worker", SCHEDSCOPE_TASK_END, end, rounds);
    task(parent, "parent", SCHEDSCOPE_TASK_END, end, 0);
    clock(end);
    account(SCHEDSCOPE_ACCOUNT_END, end, rounds);
    stats(0, 3 * rounds, 2 * rounds, 0);
    stats(1, 15, 2, 7);
  }

 private:
  static constexpr std::uint64_t fibers = Writer::carrier_source + worker;

  void task(std::uint32_t tid, std::string_view name, std::uint16_t flags, std::uint64_t t,
            std::uint64_t slices) {
    auto record = make_record<schedscope_task>(SCHEDSCOPE_REC_TASK, t, SCHEDSCOPE_CPU_NONE, flags);
    record.tid = record.pid = tid;
    record.ppid = 1;
    record.state = 1;
    record.start_ns = tid == child ? start + 10 * ms : tid;
    record.switches = slices;
    record.run_ns = slices * ms;
    record.slice_ns = 3 * ms;
    record.prio = 120;
    std::ranges::copy(name, record.comm);
    // The child's identity comes from the probe on its CPU.
    if (tid == child) record.rec.cpu = 1;
    writer_.add(tid == child ? 1 : Writer::agent_source, view_of(record));
  }

  void clock(std::uint64_t t) {
    auto record = make_record<schedscope_clock>(SCHEDSCOPE_REC_CLOCK, t);
    record.boot_ns = t + 1;
    record.real_ns = 1'700'000'000'000 * ms + t;
    record.tsc = 3 * t;
    record.error_ns = 50;
    writer_.add(Writer::agent_source, view_of(record));
  }

  void account(std::uint16_t flags, std::uint64_t t, std::uint64_t slices) {
    auto record =
        make_record<schedscope_account>(SCHEDSCOPE_REC_ACCOUNT, t, SCHEDSCOPE_CPU_NONE, flags);
    record.tid = record.pid = worker;
    record.start_ns = worker;
    record.since_ns = start;
    record.run_ns = slices * ms;
    record.wait_ns = slices * ms / 2;
    record.sleep_ns = t - start - record.run_ns - record.wait_ns;
    record.slices = record.voluntary = record.wakeups = record.switches = slices;
    record.state = SCHEDSCOPE_STATE_SLEEP;
    set_ends(record, slices);
    writer_.add(Writer::agent_source, view_of(record));
  }

  void stats(std::uint16_t cpu, std::uint64_t produced, std::uint64_t switches,
             std::uint64_t lost) {
    auto record = make_record<schedscope_cpu_stats>(SCHEDSCOPE_REC_CPU_STATS, end, cpu);
    record.produced = produced;
    record.switches = switches;
    record.lost[SCHEDSCOPE_LOST_RING_FULL] = lost;
    writer_.add(Writer::agent_source, view_of(record));
  }

  void wake(std::uint16_t kind, std::uint64_t t, std::uint16_t cpu, std::uint32_t tid,
            std::uint32_t waker) {
    auto record = make_record<schedscope_waking>(kind, t, cpu);
    record.tid = tid;
    record.waker_tid = waker;
    record.target_cpu = cpu;
    writer_.add(cpu, view_of(record));
  }

  void to(std::uint64_t t, std::uint16_t cpu, std::uint32_t prev, std::uint32_t next,
          std::uint32_t state) {
    auto record = make_record<schedscope_switch>(SCHEDSCOPE_REC_SWITCH, t, cpu);
    record.prev_tid = prev;
    record.next_tid = next;
    record.prev_state = state;
    record.prev_switches = prev == 0 ? ++idle_switches_[cpu] : prev == worker ? ++worked_ : 1;
    record.prev_slice_ns = prev == 0 ? 0 : 3 * ms;
    record.prev_prio = record.next_prio = 120;
    writer_.add(cpu, view_of(record));
  }

  void fiber(std::uint16_t kind, std::uint64_t t) {
    auto record = make_record<schedscope_user>(kind, t, 0);
    record.tid = record.pid = worker;
    record.id = 7;
    writer_.add(fibers, view_of(record));
  }

  Writer& writer_;
  std::uint32_t idle_switches_[2] = {};
  std::uint32_t worked_ = 0;
};

bool write(const char* path) {
  Machine machine;
  machine.kernel = "6.1.0-schedule";
  machine.hostname = "nowhere";
  machine.cpus = machine.cpus_online = 2;
  machine.hz = 250;
  machine.witnesses = {"bpf", "module"};
  machine.start_ns = start;
  auto writer = Writer::create(path, machine);
  if (!writer) return false;
  Schedule schedule(*writer);
  schedule.begin();
  bool whole = writer->flush(start).has_value();
  schedule.life();
  for (std::uint64_t number = 0; number < rounds; ++number) {
    schedule.round(number);
    if (number == rounds / 2) whole = writer->flush(start + number * cycle) && whole;
  }
  schedule.finish();
  return writer->finish(machine, end) && whole;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && write(argv[1])) return 0;
  std::fputs("schedule: give a file that can be written\n", stderr);
  return 1;
}
