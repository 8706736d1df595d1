// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "analysis/report.h"
#include "timeline/types.h"

namespace schedscope::report {

// "other", "fifo", …: SCHED_* without its prefix; "policy 9" for one that is not known here.
[[nodiscard]] std::string policy_name(std::uint32_t policy);

// "comm/tid", or "tid 12" when the name is not known. Safe to print.
[[nodiscard]] std::string label(const timeline::Thread& thread);
[[nodiscard]] std::string label(const analysis::Peer& peer);
// Its name, or "0x1f" (its id in hex, as runtimes print it) when it has none.
[[nodiscard]] std::string label(const timeline::UserThread& thread);

// Its path; "unknown", with its id when that is known. Safe to print.
[[nodiscard]] std::string cgroup_label(const analysis::CgroupReport& cgroup);
// "futex", "i386 futex", "call 499" for one that has no name here; "" for none.
[[nodiscard]] std::string syscall_label(const timeline::Syscall& syscall);
// "thread", "timer", "interrupt", "unknown".
[[nodiscard]] std::string_view name_of(analysis::WakerKind waker);

// "12,345".
[[nodiscard]] std::string grouped(std::uint64_t number);
// "12.3 %", "<0.1 %" for what is there but rounds to nothing, "0 %".
[[nodiscard]] std::string percent(double part, double whole);

// Time of the reported span.
[[nodiscard]] std::uint64_t span_ns(const analysis::Report& report);

// Of the capture file; nothing when no switch was recorded.
[[nodiscard]] std::optional<double> bytes_per_switch(const analysis::Report& report);

// "1 gap", "3 gaps"; `many` is for words that do not just take an s.
[[nodiscard]] std::string plural(std::uint64_t number, std::string_view one,
                                 std::string_view many = {});

}  // namespace schedscope::report
