// SPDX-License-Identifier: GPL-2.0-only
#include "collect/elf_symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/fd.h"
#include "base/file.h"
#include "collect/process_maps.h"

extern "C" [[gnu::noinline]] int schedscope_test_function(int x) {
  return x * 3 + 1;
}

namespace schedscope::collect {
namespace {

std::uint64_t place_of_function() {
  const auto maps = parse_code_maps(read_text("/proc/self/maps").value_or(""));
  const auto address = reinterpret_cast<std::uint64_t>(&schedscope_test_function);
  const CodeMap* map = find_map(maps, address);
  return map == nullptr ? 0 : address - map->begin + map->offset;
}

Fd file_of(std::string_view bytes) {
  Fd fd(::memfd_create("elf", MFD_CLOEXEC));
  EXPECT_EQ(::write(fd.get(), bytes.data(), bytes.size()), std::ssize(bytes));
  return fd;
}

const std::string& own_bytes() {
  static const std::string bytes = [] {
    std::ifstream file("/proc/self/exe", std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }();
  return bytes;
}

// As strip(1) leaves it, or more so: no tables at all.
std::string stripped() {
  std::string bytes = own_bytes();
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  header.e_shoff = header.e_shnum = header.e_shstrndx = 0;
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

TEST(ElfSymbols, AFunctionOfThisProgram) {
  const Fd fd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  ElfFile file(fd.get());
  EXPECT_EQ(file.build_id().size(), 20U);
  EXPECT_FALSE(file.find(place_of_function()));  // not read yet
  file.read_symbols(fd.get());
  const auto found = file.find(place_of_function() + 1);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, "schedscope_test_function");
  EXPECT_EQ(found->offset, 1U);
  EXPECT_FALSE(file.find(0));
  EXPECT_FALSE(file.find(~0ULL));
}

TEST(ElfSymbols, OfAFileOfDebugInformation) {
  const Fd fd = file_of(stripped());
  ElfFile file(fd.get());
  ASSERT_EQ(file.build_id().size(), 20U);
  std::string hex;
  for (const char byte : file.build_id()) {
    hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  }
  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / fmt::format("schedscope-elf-{}", ::getpid());
  std::filesystem::create_directories(directory / hex.substr(0, 2));
  std::filesystem::create_symlink("/proc/self/exe",
                                  directory / hex.substr(0, 2) / (hex.substr(2) + ".debug"));
  file.read_symbols(fd.get(), directory);
  std::filesystem::remove_all(directory);
  const auto found = file.find(place_of_function());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, "schedscope_test_function");

  ElfFile without(fd.get());
  without.read_symbols(fd.get(), directory);
  EXPECT_EQ(without.symbols(), 0U);
}

// Whatever is in the file: it is read or it is not, and nothing is beyond its end.
TEST(ElfSymbols, DamagedFiles) {
  std::mt19937 random(7);
  const std::string sound = own_bytes().substr(0, 1 << 16);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = round % 2 == 0 ? sound : sound.substr(0, random() % 4096);
    for (int i = 0; i < 20 && !bytes.empty(); ++i) {
      bytes[random() % std::min<std::size_t>(bytes.size(), 1024)] = static_cast<char>(random());
    }
    const Fd fd = file_of(bytes);
    ElfFile file(fd.get());
    file.read_symbols(fd.get(), "/nowhere");
    (void)file.find(random());
    EXPECT_LE(file.build_id().size(), 20U);
  }
  ElfFile none(-1);
  none.read_symbols(-1);
  EXPECT_FALSE(none.find(0));
}

}  // namespace
}  // namespace schedscope::collect
