// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "collect/record.h"

namespace schedscope::collect {

class Witness;

// Which threads a recording is about. The kernel adds their children by itself.
class Selection {
 public:
  // Errors: a process or thread that does not exist (Exit::usage).
  [[nodiscard]] static Result<Selection> from(const Options& options);

  void add(std::uint32_t tid) { tids_.push_back(tid); }
  // False: the whole machine.
  [[nodiscard]] bool filtering() const { return filtering_; }
  // What was asked for, in words; "" for the whole machine.
  [[nodiscard]] const std::string& description() const { return description_; }
  // Tells a witness, which records already. A thread that starts meanwhile is not missed:
  // its parent is selected, or it is in the next reading; they go on until nothing is new.
  [[nodiscard]] Result<void> apply(Witness& witness) const;

 private:
  bool filtering_ = false;
  std::string description_;
  std::vector<std::uint32_t> pids_;
  std::vector<std::uint32_t> tids_;
  std::vector<std::string> cgroups_;  // directories
  std::vector<std::string> comms_;    // globs

  // All threads that are selected as of now.
  [[nodiscard]] std::vector<std::uint32_t> read() const;
};

}  // namespace schedscope::collect
