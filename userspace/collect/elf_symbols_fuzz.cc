// SPDX-License-Identifier: GPL-2.0-only
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/fd.h"
#include "collect/elf_symbols.h"
#include "uapi/schedscope.h"

// Reads any bytes as a program that somebody runs while it is recorded.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using schedscope::Fd;
  using schedscope::collect::ElfFile;
  static const Fd file(::memfd_create("elf", MFD_CLOEXEC));
  if (::ftruncate(file.get(), 0) != 0) std::abort();
  if (::pwrite(file.get(), data, size, 0) != static_cast<ssize_t>(size)) std::abort();

  ElfFile elf(file.get());
  elf.read_symbols(file.get(), "/nowhere");
  if (elf.build_id().size() > SCHEDSCOPE_BUILD_ID_LEN) std::abort();
  for (std::uint64_t at = 0; at < size; at += 16) {
    const auto found = elf.find(at);
    if (!found) continue;
    // Under a sanitizer, every byte of it must be readable.
    if (std::string(found->name).empty()) std::abort();
  }
  return 0;
}
