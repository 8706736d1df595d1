// SPDX-License-Identifier: GPL-2.0-only
#include "cpu_group.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/fd.h"
#include "base/file.h"

namespace schedscope::golden {
namespace {

constexpr const char* inner = "inner";
constexpr const char* cure = "run as root where cgroups of one's own may be made";

Result<void> put(const std::filesystem::path& file, std::string_view text) {
  const Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  const auto size = static_cast<ssize_t>(text.size());
  if (fd.valid() && ::write(fd.get(), text.data(), text.size()) == size) return {};
  return fail_errno(fmt::format("write '{}' to {}", text, file.string()), cure);
}

bool has_word(const std::string& text, std::string_view word) {
  std::istringstream words(text);
  for (std::string one; words >> one;) {
    if (one == word) return true;
  }
  return false;
}

// The process's cgroup in the hierarchy of v2, or in that of v1 which has the cpu controller,
// below its mount point; "": there is none.
std::filesystem::path home_in(const std::filesystem::path& mount, bool v2) {
  std::istringstream lines(read_text("/proc/self/cgroup").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1);
    std::replace(controllers.begin(), controllers.end(), ',', ' ');
    const bool wanted = v2 ? controllers.empty() : has_word(controllers, "cpu");
    if (wanted) return mount / std::filesystem::path(line.substr(second + 1)).relative_path();
  }
  return {};
}

// Where this process may make a cgroup with a quota.
std::filesystem::path find_home(bool& v2) {
  std::istringstream lines(read_text("/proc/self/mounts").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string device, mount, type, options;
    fields >> device >> mount >> type >> options;
    std::replace(options.begin(), options.end(), ',', ' ');
    v2 = type == "cgroup2";
    if (!v2 && (type != "cgroup" || !has_word(options, "cpu"))) continue;
    const auto home = home_in(mount, v2);
    if (home.empty()) continue;
    if (!v2 || has_word(read_text(home / "cgroup.controllers").value_or(""), "cpu")) return home;
  }
  return {};
}

// A thread that has just ended may be in it for a moment more.
void remove_group(const std::filesystem::path& group) {
  for (int i = 0; ::rmdir(group.c_str()) != 0 && errno == EBUSY && i < 100; ++i) {
    ::usleep(10'000);
  }
}

}  // namespace

Result<CpuGroup> CpuGroup::enter(std::uint64_t quota_us, std::uint64_t period_us) {
  CpuGroup group;
  if (auto made = group.make(quota_us, period_us); !made) return std::unexpected(made.error());
  return group;
}

Result<void> CpuGroup::make(std::uint64_t quota_us, std::uint64_t period_us) {
  bool v2 = false;
  home_ = find_home(v2);
  if (home_.empty()) return fail("make a cgroup", "no cpu controller is mounted", cure);
  enabled_ = v2 && !has_word(read_text(home_ / "cgroup.subtree_control").value_or(""), "cpu");
  path_ = home_ / fmt::format("golden-{}", ::getpid());
  if (auto started = start_sweeper(); !started) return started;
  if (enabled_) {
    if (auto on = put(home_ / "cgroup.subtree_control", "+cpu"); !on) return on;
  }
  if (::mkdir(path_.c_str(), 0755) != 0 || ::mkdir((path_ / inner).c_str(), 0755) != 0) {
    return fail_errno(fmt::format("make cgroup {} and one in it", path_.string()), cure);
  }
  if (v2) {
    if (auto set = put(path_ / "cpu.max", fmt::format("{} {}", quota_us, period_us)); !set) {
      return set;
    }
    if (auto on = put(path_ / "cgroup.subtree_control", "+cpu"); !on) return on;
  } else {
    if (auto set = put(path_ / "cpu.cfs_period_us", std::to_string(period_us)); !set) return set;
    if (auto set = put(path_ / "cpu.cfs_quota_us", std::to_string(quota_us)); !set) return set;
  }
  return put(path_ / inner / "cgroup.procs", "0");
}

// In a session of its own, so that what ends this process does not end it.
Result<void> CpuGroup::start_sweeper() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("make a pipe");
  const Fd gone(ends[0]);
  in_use_ = Fd(ends[1]);
  sweeper_ = ::fork();
  if (sweeper_ < 0) return fail_errno("start a process");
  if (sweeper_ > 0) return {};
  ::setsid();
  in_use_.reset();
  char none = 0;
  while (::read(gone.get(), &none, 1) < 0 && errno == EINTR) {
  }
  remove_group(path_ / inner);
  remove_group(path_);
  if (enabled_) (void)put(home_ / "cgroup.subtree_control", "-cpu");
  ::_exit(0);
}

std::uint64_t CpuGroup::throttled() const {
  std::istringstream words(read_text(path_ / "cpu.stat").value_or(""));
  for (std::string word; words >> word;) {
    std::uint64_t count = 0;
    if (word == "nr_throttled" && words >> count) return count;
  }
  return 0;
}

CpuGroup::~CpuGroup() {
  if (sweeper_ <= 0) return;
  (void)put(home_ / "cgroup.procs", "0");
  in_use_.reset();
  ::waitpid(sweeper_, nullptr, 0);
}

}  // namespace schedscope::golden
