// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>

#include "base/error.h"

namespace schedscope::golden {

// A cgroup below the calling process's own, with a quota of CPU time, of cgroup v2 or v1, and one
// in it, without. The process is in that until this is dropped, and both are gone then.
class CpuGroup {
 public:
  [[nodiscard]] static Result<CpuGroup> enter(std::uint64_t quota_us, std::uint64_t period_us);
  CpuGroup(CpuGroup&& other) noexcept
      : path_(std::exchange(other.path_, {})),
        home_(std::move(other.home_)),
        enabled_(std::exchange(other.enabled_, false)) {}
  CpuGroup& operator=(CpuGroup&&) = delete;
  ~CpuGroup();

  // In how many periods the kernel has throttled it.
  [[nodiscard]] std::uint64_t throttled() const;

 private:
  CpuGroup() = default;
  Result<void> make(std::uint64_t quota_us, std::uint64_t period_us);

  void leave();

  std::filesystem::path path_;  // "": not made
  std::filesystem::path home_;  // where the process was
  bool enabled_ = false;        // home's controller was turned on for it
};

}  // namespace schedscope::golden
