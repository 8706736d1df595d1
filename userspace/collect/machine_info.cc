// SPDX-License-Identifier: GPL-2.0-only
#include "collect/machine_info.h"

#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <sstream>

#include <fmt/format.h>

#include "base/file.h"
#include "collect/kernel_btf.h"

namespace schedscope::collect {
namespace {

// The value of a build option, from /proc/config.gz or /boot/config-RELEASE; "" when neither is
// there. gzread() reads a plain file as it is.
std::string kernel_option(const std::string& release, std::string_view option) {
  const std::string wanted = fmt::format("CONFIG_{}=", option);
  for (const std::string& path : {std::string("/proc/config.gz"), "/boot/config-" + release,
                                  "/lib/modules/" + release + "/config"}) {
    const std::unique_ptr<gzFile_s, decltype(&gzclose)> file(gzopen(path.c_str(), "rb"), gzclose);
    char line[512];
    while (file && gzgets(file.get(), line, sizeof(line)) != nullptr) {
      std::string_view text(line);
      if (!text.starts_with(wanted)) continue;
      text.remove_prefix(wanted.size());
      return std::string(text.substr(0, text.find('\n')));
    }
  }
  return {};
}

// 0 when the kernel does not say how it was built.
std::uint32_t ticks_per_second(const std::string& release) {
  const std::string hz = kernel_option(release, "HZ");
  return hz.empty() ? 0 : static_cast<std::uint32_t>(std::strtoul(hz.c_str(), nullptr, 10));
}

// "none voluntary (full)": the one in brackets is in force.
std::string preempt_model() {
  const std::string all = read_text("/sys/kernel/debug/sched/preempt").value_or("");
  const auto open = all.find('(');
  const auto close = all.find(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return {};
  return all.substr(open + 1, close - open - 1);
}

bool inside_virtual_machine() {
  std::istringstream cpuinfo(read_text("/proc/cpuinfo").value_or(""));
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.starts_with("flags")) return line.find(" hypervisor") != std::string::npos;
  }
  return false;
}

}  // namespace

capture::Machine read_machine() {
  capture::Machine machine;
  utsname names{};
  if (::uname(&names) == 0) {
    machine.kernel = names.release;
    machine.kernel_build = names.version;
    machine.hostname = names.nodename;
  }
  machine.cpus = static_cast<std::uint32_t>(::get_nprocs_conf());
  machine.cpus_online = static_cast<std::uint32_t>(::get_nprocs());
  machine.hz = ticks_per_second(machine.kernel);
  if (const auto btf = KernelBtf::load()) {
    machine.scheduler = btf->has_field("sched_entity", "deadline") ? "eevdf" : "cfs";
  }
  machine.sched_features = read_text("/sys/kernel/debug/sched/features").value_or("");
  machine.base_slice_ns =
      static_cast<std::uint64_t>(read_number("/sys/kernel/debug/sched/base_slice_ns").value_or(0));
  machine.rr_timeslice_ms =
      static_cast<std::uint64_t>(read_number("/proc/sys/kernel/sched_rr_timeslice_ms").value_or(0));
  machine.preempt_model = preempt_model();
  machine.autogroup =
      static_cast<int>(read_number("/proc/sys/kernel/sched_autogroup_enabled").value_or(-1));
  machine.virtual_machine = inside_virtual_machine();
  machine.clocksource =
      read_text("/sys/devices/system/clocksource/clocksource0/current_clocksource").value_or("");
  machine.recorder_pid = static_cast<std::uint64_t>(::getpid());
  return machine;
}

bool is_cpu_off(std::uint32_t cpu) {
  // The file is there for CPUs that are there and can be taken down.
  return read_number(fmt::format("/sys/devices/system/cpu/cpu{}/online", cpu)).value_or(1) == 0;
}

bool kernel_is_at_least(unsigned major, unsigned minor) {
  utsname names{};
  std::array<unsigned, 2> version{};
  if (::uname(&names) != 0) return false;
  const char* at = names.release;
  const char* const end = at + std::strlen(at);
  for (unsigned& number : version) {
    const auto [rest, error] = std::from_chars(at, end, number);
    if (error != std::errc()) return false;
    at = rest == end ? rest : rest + 1;
  }
  return version >= std::array{major, minor};
}

}  // namespace schedscope::collect
