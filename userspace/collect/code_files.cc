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
constexpr std::size_t most_open = 512;
// For a file that no process let us open so far: each costs some system calls.
constexpr std::uint32_t most_tries = 64;

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
  const auto [entry, is_new] = by_key_.try_emplace(Key(map.device, map.inode, map.path),
                                                   static_cast<std::uint32_t>(files_.size()));
  if (!is_new) {
    try_again(entry->second, tid, map);
    return entry->second;
  }
  Fd fd = map.is_file() ? open_mapped(tid, map) : Fd();
  ElfFile elf(fd.get());
  const std::uint32_t tries_left = map.is_file() && !fd.valid() ? most_tries : 0;
  files_.push_back(
      {.path = map.path, .fd = std::move(fd), .elf = std::move(elf), .tries_left = tries_left});
  if (files_.size() - read_ > most_open) read_symbols(0);
  return entry->second;
}

// Who mapped it first may have been gone by then.
void CodeFiles::try_again(std::uint32_t index, std::uint32_t tid, const CodeMap& map) {
  File& file = files_[index];
  if (file.tries_left == 0) return;
  --file.tries_left;
  Fd fd = open_mapped(tid, map);
  if (!fd.valid()) return;
  file.tries_left = 0;
  file.elf = ElfFile(fd.get());
  if (index >= read_) {
    file.fd = std::move(fd);
  } else {
    file.elf.read_symbols(fd.get());
  }
}

void CodeFiles::read_symbols(std::uint64_t budget_ns) {
  const std::uint64_t began_ns = Clocks::now_ns();
  while (read_ < files_.size()) {
    File& file = files_[read_++];
    if (!file.fd.valid()) continue;
    file.elf.read_symbols(file.fd.get());
    file.fd.reset();
    if (Clocks::now_ns() - began_ns >= budget_ns) return;
  }
}

}  // namespace schedscope::collect
