// SPDX-License-Identifier: GPL-2.0-only
#include "collect/support.h"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "collect/kernel_btf.h"
#include "collect/ledger.h"
#include "collect/machine_info.h"
#include "collect/module_stream.h"
#include "collect/probes.h"
#include "collect/user_rings.h"

namespace schedscope::collect {
namespace {

Check from_error(std::string name, const Error& error) {
  return {.name = std::move(name), .found = error.wrong, .cure = error.cure};
}

Check check_kernel(const capture::Machine& machine) {
  Check check{.name = "kernel", .works = true};
  check.found = fmt::format("{}, {} CPUs, {}", machine.kernel, machine.cpus,
                            machine.scheduler.empty() ? "scheduler unknown" : machine.scheduler);
  if (machine.hz != 0) check.found += fmt::format(", HZ={}", machine.hz);
  return check;
}

std::uint64_t smallest_ring() {
  return static_cast<std::uint64_t>(::getpagesize());
}

Check check_btf() {
  const auto btf = KernelBtf::load();
  Check check = btf ? Check{.name = "BTF", .works = true, .found = "/sys/kernel/btf/vmlinux"}
                    : from_error("BTF", btf.error());
  check.needed = true;
  return check;
}

// The real programs, loaded and attached, with the smallest rings.
Check check_probes(std::vector<std::string>& missing) {
  const auto probes = Probes::create({.ring_bytes = smallest_ring()});
  Check check = probes ? Check{.name = "eBPF probes", .works = true, .found = "load and attach"}
                       : from_error("eBPF probes", probes.error());
  check.needed = true;
  if (probes) missing = (*probes)->missing();
  return check;
}

Check check_module() {
  const auto ledger = Ledger::open();
  if (ledger) {
    const auto info = ledger->info();
    return {.name = "module",
            .works = true,
            .found = fmt::format("ABI {}.{}, {} threads have an account", info->abi_major,
                                 info->abi_minor, info->accounts)};
  }
  Check check = from_error("module", ledger.error());
  if (ledger.error().code == ENOENT) {
    check.found = "schedscope.ko is not loaded: no ledger, no second witness";
    if (!std::filesystem::exists("/proc/modules")) {
      check.found = "this kernel loads no modules: no ledger, no second witness";
      check.cure.clear();
    }
  }
  return check;
}

Check check_lockdown() {
  const std::string state = read_text("/sys/kernel/security/lockdown").value_or("");
  Check check{.name = "lockdown", .works = true, .found = "none"};
  if (state.find("[integrity]") != std::string::npos) {
    check.found = "integrity: BPF works, the module must be signed";
  } else if (state.find("[confidentiality]") != std::string::npos) {
    check = {.name = "lockdown",
             .works = false,
             .found = "confidentiality: BPF may not read the kernel",
             .cure = "boot without lockdown=confidentiality"};
  }
  return check;
}

Check check_user_threads() {
  const auto rings = UserRings::create();
  if (!rings) return from_error("user threads (told)", rings.error());
  Check check{.name = "user threads (told)", .works = rings->warning().empty(), .found = "socket"};
  check.found = check.works ? "runtimes that include schedscope/uthread.h" : rings->warning();
  return check;
}

Check check_clocks(const capture::Machine& machine) {
  const bool tsc = machine.clocksource == "tsc" || machine.clocksource == "kvm-clock";
  return {.name = "clock",
          .works = true,
          .found = machine.clocksource.empty() ? "unknown" : machine.clocksource,
          .cure = tsc ? "" : "a clock source other than tsc makes each switch dearer to stamp"};
}

// The stream for real, with the smallest rings; it is one recorder's at a time.
Check check_stream() {
  const auto stream = ModuleStream::create({.ring_bytes = smallest_ring()}, false);
  if (stream) {
    return {.name = "module stream", .works = true, .found = "record --witness module works"};
  }
  return from_error("module stream", stream.error());
}

// What only some kernels tell a module, and what this one does not.
std::vector<Check> check_signals(const schedscope_info& info) {
  static constexpr std::array<std::pair<std::uint64_t, const char*>, 6> signals = {{
      {SCHEDSCOPE_SIGNAL_NEED_RESCHED, "who asks for a reschedule (sched_set_need_resched_tp)"},
      {SCHEDSCOPE_SIGNAL_TIMER, "the timer interrupt (local_timer_entry)"},
      {SCHEDSCOPE_SIGNAL_FAIR_SLICE, "nominal slices of the fair scheduler (EEVDF)"},
      {SCHEDSCOPE_SIGNAL_QUOTA, "that a thread's group has used up its quota"},
      {SCHEDSCOPE_SIGNAL_SET_STATE, "changes of a thread's state (sched_set_state_tp)"},
      {SCHEDSCOPE_SIGNAL_DL, "deadline throttling (sched_dl_throttle_tp)"},
  }};
  std::vector<Check> checks;
  for (const auto& [bit, text] : signals) {
    const bool there = (info.signals & bit) != 0;
    const bool used = (info.signals_used & bit) != 0;
    checks.push_back({.name = "kernel tells",
                      .works = there,
                      .found = fmt::format("{}{}", text,
                                           !there  ? ": not in this kernel"
                                           : !used ? ": not used by this module"
                                                   : "")});
  }
  return checks;
}

// Where the module streams, the probes are not needed.
void add_module_checks(std::vector<Check>& checks) {
  checks.push_back(check_stream());
  if (checks.back().works) {
    for (Check& check : checks) {
      if (check.works || !check.needed) continue;
      check.needed = false;
      check.cure += (check.cure.empty() ? "" : ", or ") + std::string("use --witness module");
    }
  }
  const auto ledger = Ledger::open();
  if (const auto info = ledger ? ledger->info() : std::unexpected(ledger.error())) {
    for (Check& check : check_signals(*info)) checks.push_back(std::move(check));
  }
}

}  // namespace

std::vector<Check> check_machine() {
  const capture::Machine machine = read_machine();
  std::vector<Check> checks = {check_kernel(machine), check_btf()};
  std::vector<std::string> missing;
  checks.push_back(check_probes(missing));
  checks.push_back(check_lockdown());
  checks.push_back(check_module());
  if (checks.back().works) add_module_checks(checks);
  checks.push_back(check_user_threads());
  checks.push_back(check_clocks(machine));
  for (const std::string& text : missing) {
    checks.push_back({.name = "slice ends", .works = false, .found = text});
  }
  return checks;
}

}  // namespace schedscope::collect
