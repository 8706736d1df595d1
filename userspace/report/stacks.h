// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "analysis/report.h"
#include "report/text.h"

namespace schedscope::report {

// "boost::fibers::scheduler::awakened"; "libc.so.6+0x1234" of a function that has no name here,
// "0x7f0012345678" of one that is in no file.
[[nodiscard]] std::string label(const analysis::Frame& frame);
// Of a stack's frames, the innermost first; "unknown" and why for one that is missing, nothing for
// one that does not exist.
[[nodiscard]] std::vector<std::string> frame_labels(const analysis::StackReport& stacks,
                                                    std::uint32_t number);

// A thread's as `threads[].off_cpu_stacks`, and the capture's as `stacks`. Rows have stacks by
// their place in `stacks.stacks`, and these their frames by that in `stacks.frames`: each is there
// once.
using StackIndex = std::map<std::uint32_t, std::size_t>;  // of a number, its place
[[nodiscard]] StackIndex stack_index(const analysis::Report& report);
[[nodiscard]] nlohmann::ordered_json off_cpu_stacks_json(
    const analysis::StackReport& stacks, const StackIndex& index,
    const std::vector<analysis::OffCpuStack>& rows);
[[nodiscard]] nlohmann::ordered_json stacks_json(const analysis::StackReport& stacks,
                                                 const StackIndex& index);

// What was recorded of how many sleeps, and why not of all.
[[nodiscard]] std::string stack_words(const analysis::StackReport& stacks);

// For a terminal: where all threads slept longest, a row a place; and where one did, with all
// frames.
[[nodiscard]] std::string slept_at_text(const analysis::Report& report, const TextOptions& options);
[[nodiscard]] std::string slept_at_text(const analysis::StackReport& stacks,
                                        const analysis::ThreadReport& thread,
                                        const TextOptions& options);

}  // namespace schedscope::report
