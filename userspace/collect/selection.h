// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "collect/record.h"
#include "collect/witness.h"

namespace schedscope::collect {

// Which threads a recording is about: some by their ids, whose children the kernel adds by itself,
// and those that rules select, as long as they do.
class Selection {
 public:
  // Errors: a process, thread or cgroup that does not exist, a glob that no name can match
  // (Exit::usage).
  [[nodiscard]] static Result<Selection> from(const Options& options);

  void add(std::uint32_t tid) { tids_.push_back(tid); }
  // Threads that a recording before had selected, and processes that theirs have made since then.
  void add_selected(const std::set<std::uint32_t>& tids);
  // False: the whole machine.
  [[nodiscard]] bool filtering() const { return filtering_; }
  // What was asked for, in words; "" for the whole machine.
  [[nodiscard]] const std::string& description() const { return description_; }
  [[nodiscard]] const Rules& rules() const { return rules_; }
  // Tells a witness, which records already. A thread that starts meanwhile is not missed:
  // its parent is selected, or it is in the next reading; they go on until nothing is new.
  [[nodiscard]] Result<void> apply(Witness& witness) const;

 private:
  bool filtering_ = false;
  std::string description_;
  std::vector<std::uint32_t> pids_;
  std::vector<std::uint32_t> tids_;
  bool tids_given_ = false;
  std::set<std::uint32_t> parents_;   // processes whose children are selected
  std::vector<std::string> cgroups_;  // directories
  Rules rules_;

  // All threads that are selected as of now, by the rules only if `by_rules`.
  [[nodiscard]] std::vector<std::uint32_t> read(bool by_rules) const;
};

}  // namespace schedscope::collect
