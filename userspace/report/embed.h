// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "report/pictures.h"

namespace schedscope::report {

// JSON that may stand inside <script type="application/json">: no byte of it can end the element
// or begin a comment, whatever the names in it are. It stays the same JSON value.
[[nodiscard]] std::string script_safe(std::string_view json);

// The pictures as one JSON object: the lanes, and every column of their cells as unsigned LEB128
// numbers, all columns behind each other, deflated (zlib) and in base64. page/src/data.ts reads it.
[[nodiscard]] Result<std::string> pictures_json(const Pictures& pictures);

[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace schedscope::report
