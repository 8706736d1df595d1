// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include "lab/lab.h"

namespace schedscope::lab {

// One file each, of the same name.
extern const Experiment switch_cost;
extern const Experiment kernel_switch_cost;
extern const Experiment user_switch_no_kernel;
extern const Experiment user_one_slice;
extern const Experiment user_block;
extern const Experiment kernel_block;
extern const Experiment kernel_share;
extern const Experiment parallel_cores;

}  // namespace schedscope::lab
