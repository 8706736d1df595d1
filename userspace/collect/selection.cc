// SPDX-License-Identifier: GPL-2.0-only
#include "collect/selection.h"

#include <fnmatch.h>

#include <charconv>
#include <filesystem>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/file.h"
#include "base/text.h"
#include "collect/witness.h"

namespace schedscope::collect {
namespace {

namespace fs = std::filesystem;

// The numbers among a directory's entries: /proc, /proc/PID/task. Processes come and go
// while it is read: what is gone is no error.
std::vector<std::uint32_t> numbers_in(const fs::path& directory) {
  std::vector<std::uint32_t> numbers;
  std::error_code gone;
  for (fs::directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone)) {
    const std::string name = at->path().filename();
    std::uint32_t number = 0;
    const auto [last, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && last == name.data() + name.size()) numbers.push_back(number);
  }
  return numbers;
}

std::vector<std::uint32_t> threads_of(std::uint32_t pid) {
  return numbers_in(fmt::format("/proc/{}/task", pid));
}

void add_cgroup_threads(const fs::path& directory, std::vector<std::uint32_t>& tids) {
  std::istringstream list(read_text(directory / "cgroup.threads").value_or(""));
  for (std::uint32_t tid = 0; list >> tid;) tids.push_back(tid);
  std::error_code gone;
  for (fs::directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone)) {
    if (at->is_directory(gone)) add_cgroup_threads(at->path(), tids);
  }
}

void add_matching_threads(const std::vector<std::string>& globs, std::vector<std::uint32_t>& tids) {
  for (const std::uint32_t pid : numbers_in("/proc")) {
    for (const std::uint32_t tid : threads_of(pid)) {
      const auto comm = read_text(fmt::format("/proc/{}/task/{}/comm", pid, tid));
      if (!comm) continue;
      for (const std::string& glob : globs) {
        if (::fnmatch(glob.c_str(), comm->c_str(), 0) == 0) tids.push_back(tid);
      }
    }
  }
}

// Where cgroup v2 is mounted, alone or beside v1.
Result<fs::path> cgroup_directory(const std::string& path) {
  for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    const fs::path directory = fs::path(mount) / fs::path(path).relative_path();
    if (fs::exists(fs::path(mount) / "cgroup.procs") && fs::exists(directory / "cgroup.threads")) {
      return directory;
    }
  }
  return fail(fmt::format("select cgroup `{}`", printable(path)), "there is no such cgroup",
              "give a path below the cgroup2 mount, such as /system.slice/ssh.service",
              Exit::usage);
}

}  // namespace

Result<Selection> Selection::from(const Options& options) {
  Selection selection;
  selection.filtering_ =
      !options.whole_machine &&
      !(options.pids.empty() && options.tids.empty() && options.cgroups.empty() &&
        options.comms.empty() && options.command.empty());
  selection.pids_ = options.pids;
  selection.tids_ = options.tids;
  selection.comms_ = options.comms;
  for (const std::uint32_t pid : options.pids) {
    if (threads_of(pid).empty()) {
      return fail(fmt::format("record process {}", pid), "there is no such process",
                  "`ps -e` lists them", Exit::usage);
    }
  }
  for (const std::uint32_t tid : options.tids) {
    if (!fs::exists(fmt::format("/proc/{}", tid))) {
      return fail(fmt::format("record thread {}", tid), "there is no such thread",
                  "`ps -eL` lists them", Exit::usage);
    }
  }
  for (const std::string& path : options.cgroups) {
    auto directory = cgroup_directory(path);
    if (!directory) return std::unexpected(directory.error());
    selection.cgroups_.push_back(*directory);
  }
  if (!selection.filtering_) return selection;

  std::vector<std::string> parts;
  for (const std::uint32_t pid : options.pids) parts.push_back(fmt::format("pid {}", pid));
  for (const std::uint32_t tid : options.tids) parts.push_back(fmt::format("tid {}", tid));
  for (const std::string& path : options.cgroups) parts.push_back("cgroup " + path);
  for (const std::string& glob : options.comms) parts.push_back("comm " + glob);
  if (!options.command.empty()) parts.push_back("command " + options.command.front());
  selection.description_ = fmt::format("{}", fmt::join(parts, ", "));
  return selection;
}

std::vector<std::uint32_t> Selection::read() const {
  std::vector<std::uint32_t> tids = tids_;
  for (const std::uint32_t pid : pids_) {
    for (const std::uint32_t tid : threads_of(pid)) tids.push_back(tid);
  }
  for (const std::string& directory : cgroups_) add_cgroup_threads(directory, tids);
  if (!comms_.empty()) add_matching_threads(comms_, tids);
  return tids;
}

Result<void> Selection::apply(Witness& witness) const {
  if (!filtering_) return {};
  std::set<std::uint32_t> known;
  for (bool news = true; news;) {
    news = false;
    for (const std::uint32_t tid : read()) {
      if (!known.insert(tid).second) continue;
      if (auto selected = witness.select(tid); !selected) return selected;
      news = true;
    }
  }
  return {};
}

}  // namespace schedscope::collect
