// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/fd.h"

namespace schedscope::golden {

// A cgroup below the calling process's own, with a quota of CPU time, of cgroup v2 or v1, and one
// in it, without. The process is in that until this is dropped, and both are gone then, as they are
// when the process is killed: another one waits for that.
class CpuGroup {
 public:
  [[nodiscard]] static Result<CpuGroup> enter(std::uint64_t quota_us, std::uint64_t period_us);
  CpuGroup(CpuGroup&& other) noexcept
      : path_(std::move(other.path_)),
        home_(std::move(other.home_)),
        enabled_(other.enabled_),
        in_use_(std::move(other.in_use_)),
        sweeper_(std::exchange(other.sweeper_, -1)) {}
  CpuGroup& operator=(CpuGroup&&) = delete;
  ~CpuGroup();

  // In how many periods the kernel has throttled it.
  [[nodiscard]] std::uint64_t throttled() const;

 private:
  CpuGroup() = default;
  Result<void> make(std::uint64_t quota_us, std::uint64_t period_us);
  Result<void> start_sweeper();

  std::filesystem::path path_;
  std::filesystem::path home_;  // where the process was
  bool enabled_ = false;        // home's controller was turned on for it
  Fd in_use_;                   // closed, the sweeper does its work
  pid_t sweeper_ = -1;
};

}  // namespace schedscope::golden
