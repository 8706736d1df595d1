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

// A device or a pipe must not even be opened: that may do something.
Fd open_regular(const std::string& path, std::uint64_t inode) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  if (status.st_ino != inode) return {};
  return Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
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
  if (!is_new) return entry->second;
  Fd fd = map.is_file() ? open_mapped(tid, map) : Fd();
  ElfFile elf(fd.get());
  files_.push_back({.path = map.path, .fd = std::move(fd), .elf = std::move(elf)});
  if (files_.size() - read_ > most_open) read_symbols(0);
  return entry->second;
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
