// SPDX-License-Identifier: GPL-2.0-only
#include "report/names.h"

#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "schema/syscalls.h"

namespace schedscope::report {
namespace {

std::string label_of(std::string_view comm, std::uint32_t tid) {
  if (comm.empty()) return fmt::format("tid {}", tid);
  return fmt::format("{}/{}", printable(comm), tid);
}

}  // namespace

std::string policy_name(std::uint32_t policy) {
  constexpr std::array<std::string_view, 8> names = {"other", "fifo", "rr",       "batch",
                                                     "",      "idle", "deadline", "ext"};
  if (policy < names.size() && !names[policy].empty()) return std::string(names[policy]);
  return fmt::format("policy {}", policy);
}

std::string label(const timeline::Thread& thread) {
  return label_of(thread.comm, thread.tid);
}

std::string label(const analysis::Peer& peer) {
  // "(idle)", "(timer)": no thread.
  return peer.tid == 0 && !peer.comm.empty() ? printable(peer.comm) : label_of(peer.comm, peer.tid);
}

std::string label(const timeline::UserThread& thread) {
  if (!thread.name.empty()) return printable(thread.name);
  return fmt::format("0x{:x}", thread.id);
}

std::string cgroup_label(const analysis::CgroupReport& cgroup) {
  if (!cgroup.path.empty()) return printable(cgroup.path);
  return cgroup.id == 0 ? "unknown" : fmt::format("unknown (id {})", cgroup.id);
}

std::string syscall_label(const timeline::Syscall& syscall) {
  if (syscall.number == timeline::Syscall::none) return "";
  const std::string_view name = syscall_name(syscall.number, syscall.compat);
  const std::string label =
      name.empty() ? fmt::format("call {}", syscall.number) : std::string(name);
  return syscall.compat ? "i386 " + label : label;
}

std::string_view name_of(analysis::WakerKind waker) {
  constexpr std::array<std::string_view, analysis::waker_kind_count> names = {
      "thread", "timer", "interrupt", "unknown"};
  return names[static_cast<std::size_t>(waker)];
}

std::string grouped(std::uint64_t number) {
  const std::string digits = fmt::format("{}", number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string percent(double part, double whole) {
  if (whole <= 0) return "unknown";
  const double value = 100.0 * part / whole;
  if (value <= 0) return "0 %";
  if (value < 0.1) return "<0.1 %";
  // Rounding must not turn "nearly all" into "all".
  if (value < 100 && value > 99.9) return ">99.9 %";
  return fmt::format("{:.1f} %", value);
}

std::uint64_t span_ns(const analysis::Report& report) {
  return report.end_ns > report.start_ns ? report.end_ns - report.start_ns : 0;
}

std::optional<double> bytes_per_switch(const analysis::Report& report) {
  if (report.bytes == 0 || report.recorded_switches == 0) return std::nullopt;
  return static_cast<double>(report.bytes) / static_cast<double>(report.recorded_switches);
}

std::string plural(std::uint64_t number, std::string_view one, std::string_view many) {
  if (number == 1) return fmt::format("1 {}", one);
  if (many.empty()) return fmt::format("{} {}s", grouped(number), one);
  return fmt::format("{} {}", grouped(number), many);
}

}  // namespace schedscope::report
