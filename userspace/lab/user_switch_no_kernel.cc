// SPDX-License-Identifier: GPL-2.0-only
//
// user-switch-no-kernel: a million switches between fibers, and what the kernel saw of them.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <boost/fiber/all.hpp>
#include <thread>

#include <fmt/format.h>

#include "lab/experiments.h"
#include "lab/trial.h"
#include "lab/workload.h"
#include "schedscope/boost_fiber.hpp"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

namespace schedscope::lab {
namespace {

namespace fibers = boost::fibers;

constexpr int fiber_count = 10;
constexpr int yields_each = 100'000;
constexpr const char* carrier_name = "hop-carrier";

// While it is on, the kernel hands every system call of this thread to a handler instead; that
// takes no system call to switch on and off. After the first the rest goes through uncounted.
volatile char block_calls = 0;
volatile int first_call = -1;

void on_system_call(int, siginfo_t* info, void* context) {
  block_calls = 0;
  first_call = info->si_syscall;
  // Back to the instruction, two bytes long, which goes through now.
  auto* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  registers[REG_RIP] -= 2;
  registers[REG_RAX] = info->si_syscall;
}

bool watch_calls() {
  struct sigaction action{};
  action.sa_sigaction = on_system_call;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSYS, &action, nullptr);
  return ::prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &block_calls) == 0;
}

long voluntary_switches() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

void carry() {
  name_thread(carrier_name);
  fibers::use_scheduling_algorithm<observed<fibers::algo::round_robin>>();
  fibers::barrier start(fiber_count), end(fiber_count);
  const bool watching = watch_calls();
  const long before = voluntary_switches();
  std::vector<fibers::fiber> all;
  for (int i = 0; i < fiber_count; i++) {
    all.emplace_back([&, i] {
      name_fiber(fmt::format("hop-{}", i).c_str());
      start.wait();
      if (i == 0) block_calls = 1;
      for (int k = 0; k < yields_each; k++) boost::this_fiber::yield();
      if (i == 0) block_calls = 0;
      end.wait();
    });
  }
  for (auto& fiber : all) fiber.join();
  tell("voluntary_switches", static_cast<double>(voluntary_switches() - before));
  tell("fiber_switches", static_cast<double>(fiber_count) * yields_each);
  if (watching) tell("system_call_made", first_call >= 0 ? 1 : 0);
  if (first_call >= 0) tell("system_call_number", first_call);
}

int workload() {
  schedscope_uthread_set_records(1U << 22);
  std::thread(carry).join();
  return 0;
}

void judge(const Trial& trial, Answer& answer) {
  using timeline::SliceEnd;
  const auto carriers = trial.named(carrier_name);
  std::uint64_t switches = 0;
  Window span{.from_ns = UINT64_MAX, .to_ns = 0};
  for (int i = 0; i < fiber_count; i++) {
    const auto* user = trial.user(fmt::format("hop-{}", i));
    if (user == nullptr || user->who.index >= trial.stretches.user_switches.size()) continue;
    const auto& one = trial.stretches.user_switches[user->who.index];
    switches += one.count;
    span.from_ns = std::min(span.from_ns, one.first_ns);
    span.to_ns = std::max(span.to_ns, one.last_ns);
  }
  if (carriers.size() != 1 || switches < 1'000'000) {
    answer.caveat = fmt::format("{} fiber switches in the capture, 1,000,000 wanted", switches);
    return;
  }
  std::uint64_t voluntary = 0, involuntary = 0, unknown = 0;
  for (const auto& slice : trial.stretches.slices) {
    if (slice.thread != carriers[0]->who.index || span.share(slice.end_ns, slice.end_ns + 1) == 0)
      continue;
    switch (slice.end) {
      case SliceEnd::blocked:
      case SliceEnd::yielded:
      case SliceEnd::exited:
        ++voluntary;
        break;
      case SliceEnd::unknown:
        // Whose end was recorded was runnable: what is not known is who took its CPU.
        ++(slice.end_cut ? unknown : involuntary);
        break;
      default:
        ++involuntary;
    }
  }
  answer.evidence = {{"user_switches", static_cast<double>(switches)},
                     {"kernel_switches_voluntary", static_cast<double>(voluntary)},
                     {"kernel_switches_involuntary", static_cast<double>(involuntary)},
                     {"kernel_switches_unknown", static_cast<double>(unknown)},
                     {"span_ns", static_cast<double>(span.length())},
                     {"run_ns", static_cast<double>(trial.run_ns(carriers, span))}};
  answer.headline = fmt::format(
      "{} switches between fibers, {} voluntary kernel switches of their carrier ({} "
      "by which the kernel took the CPU away)",
      switches, voluntary, involuntary);
  const auto call = trial.workload.find("system_call_number");
  if (unknown != 0) {
    answer.caveat = fmt::format("the ends of {} slices of the carrier were not recorded", unknown);
  } else if (voluntary != 0) {
    answer.verdict = Verdict::fails_here;
    answer.caveat = fmt::format("the carrier left its CPU by itself {} times", voluntary);
  } else if (call != trial.workload.end()) {
    answer.verdict = Verdict::holds_with_caveat;
    answer.caveat = fmt::format(
        "no kernel switch, but the runtime makes system calls: the first was number {:.0f} (228 "
        "reads a clock that this machine has not in user space)",
        call->second);
  } else {
    answer.verdict = Verdict::holds;
  }
}

}  // namespace

const Experiment user_switch_no_kernel = {
    .id = "user-switch-no-kernel",
    .claim = "The kernel is not needed to switch user-level threads",
    .ran = "ten fibers on one carrier that yield 100,000 times each (Boost.Fiber)",
    .rule =
        "holds when the carrier has no slice end `blocked` or `yielded` between the first and "
        "the last of a million fiber switches, and made no system call",
    .workload = workload,
    .judge = judge,
};

}  // namespace schedscope::lab
