// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <string_view>

namespace schedscope {

// The name of an x86-64 system call, or with `compat` of one of the 32-bit table, as the kernel
// headers of the machine that built this program have it; "" for a number that they do not.
[[nodiscard]] std::string_view syscall_name(std::uint32_t number, bool compat);

}  // namespace schedscope
