// SPDX-License-Identifier: GPL-2.0-only
#include <array>

#include "lab/experiments.h"
#include "lab/lab.h"

namespace schedscope::lab {
namespace {

constexpr std::array all = {
    &switch_cost, &kernel_switch_cost, &user_switch_no_kernel, &user_one_slice,
    &user_block,  &kernel_block,       &kernel_share,          &parallel_cores,
};

}  // namespace

std::span<const Experiment* const> experiments() {
  return all;
}

const Experiment* find(std::string_view id) {
  for (const Experiment* experiment : all) {
    if (experiment->id == id) return experiment;
  }
  return nullptr;
}

}  // namespace schedscope::lab
