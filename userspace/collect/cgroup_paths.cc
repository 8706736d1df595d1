// SPDX-License-Identifier: GPL-2.0-only
#include "collect/cgroup_paths.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "collect/clocks.h"

namespace schedscope::collect {
namespace {

// A file handle of kernfs, which the kernel's FILEID_KERNFS numbers: the id is all there is to it.
struct KernfsHandle {
  unsigned int bytes = sizeof(std::uint64_t);
  int type = 0xfe;
  std::uint64_t id = 0;
};
static_assert(sizeof(KernfsHandle) == 16 && offsetof(KernfsHandle, id) == sizeof(file_handle));

}  // namespace

std::string cgroup_mount() {
  for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    std::error_code none;
    if (std::filesystem::exists(std::filesystem::path(mount) / "cgroup.procs", none)) return mount;
  }
  return "";
}

CgroupPaths::CgroupPaths() : mount_(cgroup_mount()) {
  if (mount_.empty()) {
    missing_ = "no paths of cgroups: cgroup v2 is not mounted below /sys/fs/cgroup";
    return;
  }
  mount_fd_ = Fd(::open(mount_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  constexpr std::uint64_t root_id = 1;
  if (path_of(root_id).empty() && errno == EPERM) {
    missing_ = "no paths of cgroups: finding them by id takes CAP_DAC_READ_SEARCH";
  }
}

// "" when it is not there, or not below the mount.
std::string CgroupPaths::path_of(std::uint64_t cgroup_id) {
  KernfsHandle handle{.id = cgroup_id};
  const Fd directory(::open_by_handle_at(mount_fd_.get(), reinterpret_cast<file_handle*>(&handle),
                                         O_PATH | O_CLOEXEC));
  if (!directory.valid()) return "";
  std::array<char, 4096> target{};
  const std::string link = fmt::format("/proc/self/fd/{}", directory.get());
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  if (length <= 0 || static_cast<std::size_t>(length) == target.size()) return "";
  const std::string path(target.data(), static_cast<std::size_t>(length));
  if (path == mount_) return "/";
  // One that was removed in this very moment is said to be, in its name.
  if (!path.starts_with(mount_ + "/") || !std::filesystem::exists(path)) return "";
  return path.substr(mount_.size());
}

void CgroupPaths::see(std::uint64_t cgroup_id, std::uint64_t time_ns, const Take& take) {
  if (cgroup_id == 0 || !mount_fd_.valid() || !seen_.insert(cgroup_id).second) return;
  const std::string path = path_of(cgroup_id);
  for (std::size_t at = 0; at < path.size(); at += SCHEDSCOPE_CGROUP_PART_LEN) {
    auto part = make_record<schedscope_cgroup>(SCHEDSCOPE_REC_CGROUP, time_ns);
    part.cgroup_id = cgroup_id;
    part.at = static_cast<std::uint32_t>(at);
    part.path_bytes = static_cast<std::uint32_t>(path.size());
    path.copy(reinterpret_cast<char*>(part.part), sizeof(part.part), at);
    take(view_of(part));
  }
}

}  // namespace schedscope::collect
