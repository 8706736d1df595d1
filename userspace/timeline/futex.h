// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>

#include "uapi/schedscope.h"

namespace schedscope::timeline {

// The tid that owns a futex, by its word (priority inheritance, robust) or by what lies behind it
// when it looks like a mutex of glibc; 0 when nothing says so. With SCHEDSCOPE_FUTEX_NAMESPACE it
// is that of the thread's own pid namespace. Others' words may look the same, so a caller has to
// check that it is a thread of the same process.
[[nodiscard]] std::uint32_t owner_tid(const schedscope_futex& record);

}  // namespace schedscope::timeline
