// SPDX-License-Identifier: GPL-2.0-only
#include "cli/output.h"

#include <cstdio>

namespace schedscope::cli {

Result<void> print_result(std::string_view text) {
  const bool whole = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (whole && std::fflush(stdout) == 0) return {};
  return fail_errno("write the result to stdout", "free some space, or read it to its end");
}

}  // namespace schedscope::cli
