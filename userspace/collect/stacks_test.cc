// SPDX-License-Identifier: GPL-2.0-only
#include "collect/stacks.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <map>

#include <gtest/gtest.h>

namespace schedscope::collect {
namespace {

constexpr const char* kallsyms =
    "ffffffff81000000 t bpf_get_stack\n"
    "ffffffff81001000 t __schedule\n"
    "ffffffff81002000 T schedule\n"
    "ffffffff81003000 T do_nanosleep\n"
    "ffffffff81004000 T next\n";

class StacksTest : public ::testing::Test {
 protected:
  // A sample of process 7, its third program.
  StackSample sample(std::vector<std::uint64_t> kernel, std::vector<std::uint64_t> user) {
    StackSample sample{};
    sample.rec = {.time_ns = 1000,
                  .kind = SCHEDSCOPE_REC_STACK,
                  .size = static_cast<std::uint16_t>(40 + 8 * (kernel.size() + user.size())),
                  .cpu = 1,
                  .flags = 0};
    sample.start_ns = 5;
    sample.tid = 8;
    sample.pid = 7;
    sample.exec_number = 3;
    sample.kernel_frames = static_cast<std::uint16_t>(kernel.size());
    sample.user_frames = static_cast<std::uint16_t>(user.size());
    std::ranges::copy(kernel, sample.frames.begin());
    std::ranges::copy(user, sample.frames.begin() + static_cast<std::ptrdiff_t>(kernel.size()));
    return sample;
  }
  schedscope_stack keep(const StackSample& sample) { return stacks.keep(RecordView(&sample.rec)); }
  // "symbol@file+where" of each frame of a stack.
  std::string told(std::uint32_t number, bool all = false) {
    std::string text;
    const auto take = [&](RecordView record) {
      const auto& frame = record.as<schedscope_frame>();
      if (frame.stack != number) return;
      if (frame.index != 0 && frame.part == 0) text += " < ";
      const auto part = [](const auto& bytes) {
        return std::string(reinterpret_cast<const char*>(bytes),
                           ::strnlen(reinterpret_cast<const char*>(bytes), sizeof(bytes)));
      };
      text += part(frame.symbol);
      text += part(frame.file).empty() ? "" : "@" + part(frame.file);
      if (frame.where != 0) text += "+" + std::to_string(frame.where);
    };
    all ? stacks.tell_all({number}, 2000, take) : stacks.tell(2000, take);
    return text;
  }

  std::string maps = "1000-9000 r-xp 00000100 00:00 0 [vdso]\n";
  int maps_read = 0;
  std::optional<ProcessImage> image = ProcessImage{.start_ns = 5, .exec_number = 3};
  Stacks stacks{KernelSymbols(kallsyms), [this](std::uint32_t) { return image; },
                [this](std::uint32_t, std::uint32_t) {
                  ++maps_read;
                  return maps;
                }};
  const std::vector<std::uint64_t> sleeping = {0xffffffff81000010, 0xffffffff81001020,
                                               0xffffffff81002030, 0xffffffff81004000};
};

TEST_F(StacksTest, EachDifferentOneHasANumberAndIsToldOnce) {
  const auto first = keep(sample(sleeping, {0x1010, 0x2020}));
  EXPECT_EQ(first.rec.kind, SCHEDSCOPE_REC_STACK);
  EXPECT_EQ(first.rec.size, sizeof(first));
  EXPECT_EQ(first.rec.time_ns, 1000U);
  EXPECT_EQ(first.rec.cpu, 1U);
  EXPECT_EQ(first.tid, 8U);
  const auto again = keep(sample(sleeping, {0x1010, 0x2020}));
  EXPECT_EQ(again.kernel, first.kernel);
  EXPECT_EQ(again.user, first.user);
  const auto other = keep(sample(sleeping, {0x1010}));
  EXPECT_EQ(other.kernel, first.kernel);
  EXPECT_NE(other.user, first.user);
  EXPECT_EQ(maps_read, 1);
  stacks.read_symbols(~0ULL);
  // Without the probe's own; a return address behind its function's end is still that function's.
  EXPECT_EQ(told(first.kernel), "__schedule < schedule < do_nanosleep");
  EXPECT_EQ(told(first.kernel), "");
  EXPECT_EQ(told(first.user, true), "@[vdso]+272 < @[vdso]+4384");
}

TEST_F(StacksTest, NotToldBeforeTheSymbolsAreRead) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  struct stat status{};
  ASSERT_EQ(::stat(self.c_str(), &status), 0);
  maps = "1000-9000 r-xp 00000000 00:01 " + std::to_string(status.st_ino) + " " + self + "\n";
  StackSample one = sample({}, {0x1010});
  one.tid = static_cast<std::uint32_t>(::getpid());
  const auto kept = keep(one);
  EXPECT_EQ(kept.kernel, SCHEDSCOPE_STACK_UNREADABLE);
  EXPECT_EQ(told(kept.user), "");
  stacks.read_symbols(~0ULL);
  EXPECT_EQ(told(kept.user), "@" + self + "+16");
}

TEST_F(StacksTest, ThreadsOfTheKernelHaveNoUserStack) {
  StackSample kthread = sample(sleeping, {});
  kthread.rec.flags = StackSample::no_user_stack;
  EXPECT_EQ(keep(kthread).user, SCHEDSCOPE_STACK_NONE);
  EXPECT_EQ(keep(sample(sleeping, {})).user, SCHEDSCOPE_STACK_UNREADABLE);
  EXPECT_EQ(maps_read, 0);
}

// Another program runs there by now, or another process, or none: its map is not this one's.
TEST_F(StacksTest, MapOfAnotherProgramIsNotUsed) {
  image->exec_number = 4;
  EXPECT_EQ(keep(sample(sleeping, {0x1010})).user, SCHEDSCOPE_STACK_GONE);
  EXPECT_EQ(keep(sample(sleeping, {0x1010})).user, SCHEDSCOPE_STACK_GONE);
  StackSample later = sample(sleeping, {0x1010});
  later.exec_number = 4;
  EXPECT_LT(keep(later).user, SCHEDSCOPE_STACK_LAST);
  StackSample other = later;
  other.start_ns = 6;
  EXPECT_EQ(keep(other).user, SCHEDSCOPE_STACK_GONE);
  image.reset();
  other.start_ns = 7;
  EXPECT_EQ(keep(other).user, SCHEDSCOPE_STACK_GONE);
}

// The same addresses in two programs are two stacks, the same place in a file of two is one.
TEST_F(StacksTest, PlacesCountNotAddresses) {
  const auto first = keep(sample(sleeping, {0x1010}));
  maps = "a1000-a9000 r-xp 00000100 00:00 0 [vdso]\n1000-2000 r-xp 00000000 00:01 7 /other\n";
  image->exec_number = 4;
  StackSample second = sample(sleeping, {0xa1010});
  second.exec_number = 4;
  EXPECT_EQ(keep(second).user, first.user);
  second.frames[4] = 0x1010;
  EXPECT_NE(keep(second).user, first.user);
}

TEST_F(StacksTest, EndsAtTheFirstFrameThatIsInNoCode) {
  const auto cut = keep(sample(sleeping, {0x1010, 0xdead0000, 0x2020}));
  EXPECT_EQ(cut.user, keep(sample(sleeping, {0x1010})).user);
  EXPECT_EQ(keep(sample(sleeping, {0xdead0000})).user, SCHEDSCOPE_STACK_UNREADABLE);
}

TEST_F(StacksTest, LibraryThatIsLoadedLater) {
  (void)keep(sample(sleeping, {0x1010}));
  maps += "70000-71000 r-xp 00000000 00:01 7 /later\n";
  ::usleep(110'000);  // a map is not read again at once
  const auto kept = keep(sample(sleeping, {0x70010}));
  stacks.read_symbols(~0ULL);
  EXPECT_EQ(told(kept.user), "@/later+16");
  EXPECT_EQ(maps_read, 2);
}

TEST_F(StacksTest, LongTextsComeInParts) {
  maps = "1000-2000 r-xp 00000000 00:01 7 /" + std::string(131, 'x') + "\n";
  const auto kept = keep(sample({}, {0x1010}));
  stacks.read_symbols(~0ULL);
  int parts = 0;
  std::string file;
  stacks.tell(1, [&](RecordView record) {
    const auto& frame = record.as<schedscope_frame>();
    EXPECT_EQ(frame.stack, kept.user);
    EXPECT_EQ(frame.part, static_cast<unsigned>(parts++));
    EXPECT_EQ(frame.parts, 3U);
    file.append(reinterpret_cast<const char*>(frame.file),
                ::strnlen(reinterpret_cast<const char*>(frame.file), sizeof(frame.file)));
  });
  EXPECT_EQ(file, "/" + std::string(131, 'x'));
}

// A reader takes 128 parts of one frame.
TEST_F(StacksTest, TextsAreNoLongerThanTheFormatAllows) {
  maps = "1000-2000 r-xp 00000000 00:01 7 /" + std::string(100'000, 'x') + "\n";
  const auto kept = keep(sample({}, {0x1010}));
  unsigned parts = 0;
  stacks.tell_all({kept.user}, 1,
                  [&](RecordView record) { parts = record.as<schedscope_frame>().parts; });
  EXPECT_EQ(parts, 128U);
}

// Its name says where memory is from, and not what is in it.
TEST_F(StacksTest, NamedMemoryIsNoFile) {
  maps = "1000-2000 r-xp 00000000 00:00 0 [anon:code of a JIT]\n";
  const auto kept = keep(sample({}, {0x1010}));
  stacks.read_symbols(~0ULL);
  EXPECT_EQ(told(kept.user), "+4112");
}

}  // namespace
}  // namespace schedscope::collect
