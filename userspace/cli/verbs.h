// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <functional>

#include "base/error.h"

namespace CLI {
class App;
}

namespace schedscope::cli {

// What the chosen verb does; set by the verb's own callback.
using Run = std::function<Result<Exit>()>;

// One line a verb: each adds its options and, when chosen, sets `run`.
void add_doctor(CLI::App& app, Run& run);
void add_record(CLI::App& app, Run& run);
void add_report(CLI::App& app, Run& run);
void add_info(CLI::App& app, Run& run);
void add_export(CLI::App& app, Run& run);
void add_ledger(CLI::App& app, Run& run);
void add_lab(CLI::App& app, Run& run);

}  // namespace schedscope::cli
