// SPDX-License-Identifier: GPL-2.0-only
#include "stage.h"

#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"

namespace schedscope::golden {
namespace {

std::uint64_t clock_ns(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  static_assert(sizeof(word) == sizeof(std::uint32_t));
  return ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

// All that a thread's attributes need, freed in every case.
class Attributes {
 public:
  Attributes() { ::pthread_attr_init(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() { ::pthread_attr_destroy(&attributes_); }

  void set(const Seat& seat) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(seat.cpu, &cpus);
    const sched_param parameters{.sched_priority = seat.priority};
    ::pthread_attr_setaffinity_np(&attributes_, sizeof(cpus), &cpus);
    ::pthread_attr_setinheritsched(&attributes_, PTHREAD_EXPLICIT_SCHED);
    ::pthread_attr_setschedpolicy(&attributes_, seat.policy);
    ::pthread_attr_setschedparam(&attributes_, &parameters);
    // Locked memory: no more of it than is used.
    ::pthread_attr_setstacksize(&attributes_, 256 * 1024);
  }
  [[nodiscard]] const pthread_attr_t* get() const { return &attributes_; }

 private:
  pthread_attr_t attributes_{};
};

}  // namespace

std::uint64_t now_ns() {
  return clock_ns(CLOCK_MONOTONIC);
}

std::uint64_t thread_cpu_ns() {
  return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

std::uint64_t own_run_delay_ns() {
  unsigned long long run = 0, delay = 0;
  const auto text = read_text("/proc/thread-self/schedstat");
  if (!text || std::sscanf(text->c_str(), "%llu %llu", &run, &delay) != 2) return 0;
  return delay;
}

std::uint32_t this_tid() {
  return static_cast<std::uint32_t>(::syscall(SYS_gettid));
}

void sleep_until(std::uint64_t ns) {
  const timespec time{.tv_sec = static_cast<time_t>(ns / 1'000'000'000),
                      .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr) == EINTR) {
  }
}

std::uint32_t another_cpu(std::uint32_t cpu) {
  if (::sysconf(_SC_NPROCESSORS_ONLN) < 2) return cpu;
  return cpu == 0 ? 1 : 0;
}

int set_attributes(const SchedAttributes& attributes) {
  static_assert(sizeof(SchedAttributes) == 48);
  return ::syscall(SYS_sched_setattr, 0, &attributes, 0) == 0 ? 0 : errno;
}

std::uint64_t work(std::uint64_t ns) {
  const std::uint64_t begin = thread_cpu_ns();
  std::uint64_t done = 0;
  while (done < ns) done = thread_cpu_ns() - begin;
  return done;
}

OwnSwitches own_switches() {
  const auto read = [] {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return OwnSwitches{.at_ns = now_ns(),
                       .voluntary = static_cast<std::uint64_t>(usage.ru_nvcsw),
                       .involuntary = static_cast<std::uint64_t>(usage.ru_nivcsw)};
  };
  for (OwnSwitches before = read();;) {
    const OwnSwitches after = read();
    // None between the two counts, so none between the first of them and its clock.
    if (after.voluntary == before.voluntary && after.involuntary == before.involuntary) {
      return before;
    }
    before = after;
  }
}

void to_json(nlohmann::json& json, const OwnSwitches& switches) {
  json = {switches.at_ns, switches.voluntary, switches.involuntary};
}

void from_json(const nlohmann::json& json, OwnSwitches& switches) {
  switches = {.at_ns = json.at(0), .voluntary = json.at(1), .involuntary = json.at(2)};
}

void to_json(nlohmann::json& json, const Unseen& unseen) {
  json = {unseen.begin_ns, unseen.end_ns, unseen.off_cpu, unseen.cpu_ns};
}

void from_json(const nlohmann::json& json, Unseen& unseen) {
  unseen = {
      .begin_ns = json.at(0), .end_ns = json.at(1), .off_cpu = json.at(2), .cpu_ns = json.at(3)};
}

void spin_until(std::uint64_t end_ns, std::vector<Unseen>& unseen) {
  constexpr std::uint64_t least_ns = 100'000;
  const auto all_switches = [] {
    const OwnSwitches own = own_switches();
    return own.voluntary + own.involuntary;
  };
  std::uint64_t switches = all_switches(), used = thread_cpu_ns();
  for (std::uint64_t at = now_ns(); at < end_ns;) {
    const std::uint64_t used_before = std::exchange(used, thread_cpu_ns());
    const std::uint64_t before = std::exchange(at, now_ns());
    if (at - before < least_ns) continue;
    const std::uint64_t switches_before = std::exchange(switches, all_switches());
    const std::uint64_t cpu_ns = thread_cpu_ns() - used_before;
    unseen.push_back({before, at, switches != switches_before, cpu_ns});
  }
}

std::uint64_t seen_ns(const std::vector<Unseen>& unseen, std::uint64_t begin_ns,
                      std::uint64_t end_ns, std::uint64_t apart_ns) {
  std::uint64_t seen = end_ns - begin_ns;
  for (const Unseen& one : unseen) {
    const std::uint64_t begin = std::max(one.begin_ns, begin_ns);
    const std::uint64_t end = std::min(one.end_ns, end_ns);
    if (begin >= end) continue;
    const std::uint64_t most = one.off_cpu ? one.cpu_ns + apart_ns : end - begin;
    seen -= std::min(end - begin, most);
  }
  return seen;
}

void Futex::set(std::uint32_t value) {
  word_.store(value);
  futex(word_, FUTEX_WAKE_PRIVATE, 1);
}

void Futex::wait_while(std::uint32_t value) {
  while (word_.load() == value) futex(word_, FUTEX_WAIT_PRIVATE, value);
}

void* Worker::run(void* task) {
  const auto* mine = static_cast<const Task*>(task);
  ::prctl(PR_SET_NAME, mine->name.c_str());
  mine->body();
  return nullptr;
}

Result<Worker> Worker::start(std::string name, Seat seat, std::function<void()> body) {
  auto task = std::make_unique<Task>(Task{.name = std::move(name), .body = std::move(body)});
  Task* const raw = task.get();
  Worker worker(std::move(task));
  Attributes attributes;
  attributes.set(seat);
  const int code = ::pthread_create(&worker.thread_, attributes.get(), run, raw);
  if (code != 0) {
    const auto error =
        fail_errno(fmt::format("start thread {} on CPU {}", raw->name, seat.cpu),
                   "run as root, where real-time priorities may be given", Exit::machine, code);
    worker.task_.reset();
    return error;
  }
  return worker;
}

std::uint64_t Worker::cpu_ns() const {
  clockid_t clock{};
  if (task_ == nullptr || ::pthread_getcpuclockid(thread_, &clock) != 0) return 0;
  return clock_ns(clock);
}

void Worker::join() {
  if (task_ == nullptr) return;
  ::pthread_join(thread_, nullptr);
  task_.reset();
}

}  // namespace schedscope::golden
