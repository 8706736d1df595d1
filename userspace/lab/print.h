// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "capture/machine.h"
#include "lab/lab.h"

namespace schedscope::lab {

using Answers = std::vector<std::pair<const Experiment*, Answer>>;

// A verdict for people: its line, and below it all that it rests on.
[[nodiscard]] std::string to_text(const Experiment& experiment, const Answer& answer);

// The whole run, as INTERFACES has it. `machine` is that of any capture of the run.
[[nodiscard]] std::string to_json(const capture::Machine& machine, const Answers& answers);

}  // namespace schedscope::lab
