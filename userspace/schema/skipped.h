// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>

namespace schedscope {

// The cause of a lost record that no file holds: a reader left out what lies between, as it was
// told to. Its count is 0.
inline constexpr std::uint32_t lost_skipped = 0xffffffff;

}  // namespace schedscope
