// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "report/text.h"
#include "uapi/schedscope.h"

namespace schedscope::report {

// The module's ledger as it was read: accounts of live threads and of exited ones.
struct LedgerReading {
  schedscope_info info{};
  std::uint64_t read_ns = 0;  // CLOCK_MONOTONIC
  std::vector<schedscope_account> accounts;
};

// For a terminal: the threads that ran most, options.top of them. With options.thread, a tid,
// only the threads that had it, each in full.
[[nodiscard]] std::string ledger_text(LedgerReading reading, const TextOptions& options);

// Every account with every field, the one that ran most first.
[[nodiscard]] std::string ledger_json(LedgerReading reading);

}  // namespace schedscope::report
