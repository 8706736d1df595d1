// SPDX-License-Identifier: GPL-2.0-only
#include "collect/selection.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/file.h"
#include "base/text.h"
#include "collect/cgroup_paths.h"

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

void add_matching_threads(const std::vector<CommGlob>& globs, std::vector<std::uint32_t>& tids) {
  for (const std::uint32_t pid : numbers_in("/proc")) {
    for (const std::uint32_t tid : threads_of(pid)) {
      const auto comm = read_text(fmt::format("/proc/{}/task/{}/comm", pid, tid));
      if (!comm) continue;
      const auto matches = [&](const CommGlob& glob) { return glob.matches(*comm); };
      if (std::ranges::any_of(globs, matches)) tids.push_back(tid);
    }
  }
}

struct Status {
  std::uint32_t pid = 0, ppid = 0;
};

// Of a thread, by its tid; nothing when it is gone.
std::optional<Status> read_status(std::uint32_t tid) {
  std::istringstream lines(read_text(fmt::format("/proc/{}/status", tid)).value_or(""));
  Status status;
  for (std::string word; lines >> word;) {
    if (word == "Tgid:") lines >> status.pid;
    if (word == "PPid:" && lines >> status.ppid) return status;
  }
  return std::nullopt;
}

// The threads of all processes that these have made, and those, and so on.
void add_children(std::set<std::uint32_t> parents, std::vector<std::uint32_t>& tids) {
  if (parents.empty()) return;
  for (bool news = true; news;) {
    news = false;
    for (const std::uint32_t pid : numbers_in("/proc")) {
      const auto status = read_status(pid);
      if (!status || !parents.contains(status->ppid) || !parents.insert(pid).second) continue;
      for (const std::uint32_t tid : threads_of(pid)) tids.push_back(tid);
      news = true;
    }
  }
}

// Of a path below the cgroup2 mount.
Result<fs::path> cgroup_directory(const std::string& path) {
  const std::string mount = cgroup_mount();
  const fs::path directory = fs::path(mount) / fs::path(path).relative_path();
  if (!mount.empty() && fs::exists(directory / "cgroup.procs")) return directory;
  return fail(fmt::format("select cgroup `{}`", printable(path)), "there is no such cgroup",
              "give a path below the cgroup2 mount, such as /system.slice/ssh.service",
              Exit::usage);
}

// The kernel's id of a cgroup is the number of its directory.
Result<std::uint64_t> cgroup_id(const fs::path& directory) {
  struct stat info{};
  if (::stat(directory.c_str(), &info) == 0) return info.st_ino;
  return fail_errno(fmt::format("select cgroup `{}`", printable(directory.native())));
}

// What the maps of the BPF programs hold.
Result<Rules> rules_of(const std::vector<std::string>& cgroups,
                       const std::vector<std::string>& comms) {
  constexpr std::size_t most_cgroups = 1024;
  constexpr std::size_t most_comms = 64;
  Rules rules;
  if (cgroups.size() > most_cgroups || comms.size() > most_comms) {
    return fail("select so many cgroups or names",
                fmt::format("at most {} cgroups and {} globs fit", most_cgroups, most_comms),
                "a cgroup stands for those below it, a glob for many names", Exit::usage);
  }
  for (const std::string& directory : cgroups) {
    const auto id = cgroup_id(directory);
    if (!id) return std::unexpected(id.error());
    rules.cgroups.push_back(*id);
  }
  for (const std::string& text : comms) {
    const auto glob = CommGlob::compile(text);
    if (!glob) return std::unexpected(glob.error());
    rules.comms.push_back(*glob);
  }
  return rules;
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
  selection.tids_given_ = !options.tids.empty();
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
  auto rules = rules_of(selection.cgroups_, options.comms);
  if (!rules) return std::unexpected(rules.error());
  if (!selection.filtering_) return selection;
  selection.rules_ = std::move(*rules);

  std::vector<std::string> parts;
  for (const std::uint32_t pid : options.pids) parts.push_back(fmt::format("pid {}", pid));
  for (const std::uint32_t tid : options.tids) parts.push_back(fmt::format("tid {}", tid));
  for (const std::string& path : options.cgroups) parts.push_back("cgroup " + path);
  for (const std::string& glob : options.comms) parts.push_back("comm " + glob);
  if (!options.command.empty()) parts.push_back("command " + options.command.front());
  selection.description_ = fmt::format("{}", fmt::join(parts, ", "));
  return selection;
}

void Selection::add_selected(const std::set<std::uint32_t>& tids) {
  for (const std::uint32_t tid : tids) {
    if (!fs::exists(fmt::format("/proc/{}", tid))) continue;
    tids_.push_back(tid);
    // Of a process of which only some threads were named, others may have children, too.
    const auto status = tids_given_ ? std::nullopt : read_status(tid);
    if (status) parents_.insert(status->pid);
  }
}

std::vector<std::uint32_t> Selection::read(bool by_rules) const {
  std::vector<std::uint32_t> tids = tids_;
  add_children(parents_, tids);
  for (const std::uint32_t pid : pids_) {
    for (const std::uint32_t tid : threads_of(pid)) tids.push_back(tid);
  }
  if (!by_rules) return tids;
  for (const std::string& directory : cgroups_) add_cgroup_threads(directory, tids);
  if (!rules_.comms.empty()) add_matching_threads(rules_.comms, tids);
  return tids;
}

Result<void> Selection::apply(Witness& witness) const {
  if (!filtering_) return {};
  std::set<std::uint32_t> known;
  for (bool news = true; news;) {
    news = false;
    for (const std::uint32_t tid : read(!witness.follows_rules())) {
      if (!known.insert(tid).second) continue;
      if (auto selected = witness.select(tid); !selected) return selected;
      news = true;
    }
  }
  return {};
}

}  // namespace schedscope::collect
