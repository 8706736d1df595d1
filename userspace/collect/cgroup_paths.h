// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>

#include "base/fd.h"
#include "schema/record.h"

namespace schedscope::collect {

// Where cgroup v2 is mounted, alone or beside v1; "" when it is not.
[[nodiscard]] std::string cgroup_mount();

// Finds the paths of cgroups by their ids, each once, while they are there.
class CgroupPaths {
 public:
  CgroupPaths();

  using Take = std::function<void(RecordView)>;
  // A thread is in this cgroup: hands out its REC_CGROUP records if it is the first that is told
  // of it. A cgroup that is gone by now has none.
  void see(std::uint64_t cgroup_id, std::uint64_t time_ns, const Take& take);
  // Why no path can be found here, a sentence; "" when they can.
  [[nodiscard]] const std::string& missing() const { return missing_; }

 private:
  [[nodiscard]] std::string path_of(std::uint64_t cgroup_id);

  std::string mount_;
  Fd mount_fd_;
  std::string missing_;
  std::unordered_set<std::uint64_t> seen_;
};

}  // namespace schedscope::collect
