// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace schedscope {

// Text from outside (comm, paths, symbols) is bytes. Printable UTF-8 stays, all
// else becomes \xNN and a backslash \\, so that two different names never look
// alike and no terminal or page is written to. Stops at the first NUL.
[[nodiscard]] std::string printable(std::string_view bytes);
[[nodiscard]] std::string printable(std::span<const std::uint8_t> bytes);

// "1.234 ms": four significant digits and a unit; for people, never for JSON.
[[nodiscard]] std::string human_ns(std::uint64_t ns);
// "12.3 MiB".
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);

}  // namespace schedscope
