// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace schedscope {

// A small text file (proc, sysfs) without its last newline, or its first `most_bytes`; nothing when
// it cannot be read.
[[nodiscard]] std::optional<std::string> read_text(const std::filesystem::path& path,
                                                   std::size_t most_bytes = ~std::size_t{0});

// The number that a text file holds; nothing when it holds none.
[[nodiscard]] std::optional<long long> read_number(const std::filesystem::path& path);

}  // namespace schedscope
