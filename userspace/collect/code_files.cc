// SPDX-License-Identifier: GPL-2.0-only
#include "collect/code_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <fmt/format.h>

#include "collect/clocks.h"

namespace schedscope::collect {
namespace {

// Open at once, of the 1024 descriptors that a process has.
constexpr std::size_t most_open = 256;

// A device or a pipe must not even be opened, which may do something.
Fd open_regular(const std::string& path, std::uint64_t inode) {
  const Fd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status{};
  if (!place.valid() || ::fstat(place.get(), &status) != 0) return {};
  if (!S_ISREG(status.st_mode) || status.st_ino != inode) return {};
  // That very file, whatever the path leads to by now.
  return Fd(::open(fmt::format("/proc/self/fd/{}", place.get()).c_str(), O_RDONLY | O_CLOEXEC));
}

// The very file that is mapped, even if its path is another one's by now, or is that of another
// mount namespace.
Fd open_mapped(std::uint32_t tid, const CodeMap& map) {
  Fd fd =
      open_regular(fmt::format("/proc/{}/map_files/{:x}-{:x}", tid, map.begin, map.end), map.inode);
  if (!fd.valid()) fd = open_regular(fmt::format("/proc/{}/root{}", tid, map.path), map.inode);
  return fd;
}

}  // namespace

std::uint32_t CodeFiles::find(std::uint32_t tid, const CodeMap& map) {
  Fd fd = map.is_file() ? open_mapped(tid, map) : Fd();
  std::optional<Version> version;
  if (struct stat status{}; fd.valid() && ::fstat(fd.get(), &status) == 0) {
    version = {status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  }
  const Name name(map.device, map.inode, map.path);
  if (const auto versions = by_name_.find(name); versions != by_name_.end()) {
    for (const std::uint32_t index : versions->second) {
      if (files_[index].version == version) return index;
    }
  }
  if (files_.size() >= room_.files) {
    without_room_ = true;
    return others;
  }
  const auto index = static_cast<std::uint32_t>(files_.size());
  files_.push_back(
      {.path = map.path, .version = version, .fd = {}, .elf = ElfFile(-1), .read = true});
  by_name_[name].push_back(index);
  if (version) open(files_.back(), index, std::move(fd));
  return index;
}

void CodeFiles::open(File& file, std::uint32_t index, Fd fd) {
  file.elf = ElfFile(fd.get());
  file.fd = std::move(fd);
  file.read = false;
  unread_.push_back(index);
  if (unread_.size() > most_open) read_symbols(0);
}

void CodeFiles::read_symbols(File& file) {
  if (symbol_bytes_ < room_.symbol_bytes) {
    file.elf.read_symbols(file.fd.get());
    symbol_bytes_ += file.elf.symbol_bytes();
  } else {
    without_room_ = true;
  }
  file.fd.reset();
  file.read = true;
}

void CodeFiles::read_symbols(std::uint64_t budget_ns) {
  const std::uint64_t began_ns = Clocks::now_ns();
  std::size_t done = 0;
  while (done < unread_.size()) {
    read_symbols(files_[unread_[done++]]);
    if (Clocks::now_ns() - began_ns >= budget_ns) break;
  }
  unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(done));
}

}  // namespace schedscope::collect
