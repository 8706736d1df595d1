// SPDX-License-Identifier: GPL-2.0-only
#include "capture/writer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "capture/test_files.h"

namespace schedscope::capture {
namespace {

using test::Contents;

class WriterTest : public ::testing::Test {
 protected:
  Contents read(std::string_view name) {
    auto reader = Reader::open(directory_ / name);
    EXPECT_TRUE(reader.has_value());
    return reader ? test::read_all(*reader) : Contents{};
  }

  test::Directory directory_;
};

// Files may not grow beyond `bytes` while this lives: a full disk that needs no root.
class SmallDisk {
 public:
  explicit SmallDisk(std::uint64_t bytes) {
    before_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &limit_);
    const rlimit small{.rlim_cur = bytes, .rlim_max = limit_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &limit_);
    ::signal(SIGXFSZ, before_);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

 private:
  rlimit limit_{};
  sighandler_t before_;
};

const schedscope_lost& lost_in(const std::string& bytes) {
  const auto* record = reinterpret_cast<const schedscope_rec*>(bytes.data());
  EXPECT_EQ(record->kind, SCHEDSCOPE_REC_LOST);
  return RecordView(record).as<schedscope_lost>();
}

void add_noise(Writer& writer, std::uint64_t source, std::uint64_t begin, std::uint64_t end) {
  std::uint64_t noise = begin;
  for (std::uint64_t time = begin; time < end; ++time) {
    noise = noise * 6364136223846793005 + 1442695040888963407;
    const auto words = test::filled(SCHEDSCOPE_REC_EXIT, time, 0, 0, noise);
    writer.add(source, test::view(words));
  }
}

TEST_F(WriterTest, FileIsPrivateAndReplacesOnlyRegularFiles) {
  const auto path = directory_ / "capture";
  test::spit(path, "something older");
  ::chmod(path.c_str(), 0644);
  std::filesystem::create_symlink(path, directory_ / "link");
  ASSERT_EQ(::mkfifo((directory_ / "pipe").c_str(), 0600), 0);

  for (const auto& [target, wrong] :
       {std::pair{directory_ / "link", "it is a symbolic link"},
        std::pair{directory_ / "pipe", "it is not a regular file"},
        std::pair{directory_ / "", "it is a directory"},
        std::pair{std::filesystem::path("/dev/null"), "it is not a regular file"},
        std::pair{std::filesystem::path("/dev/stdout"), "it is a symbolic link"},
        std::pair{directory_ / "none/capture", "No such file or directory"}}) {
    const auto writer = Writer::create(target, Machine{});
    ASSERT_FALSE(writer.has_value()) << target;
    EXPECT_EQ(writer.error().wrong, wrong) << target;
    EXPECT_EQ(writer.error().exit, Exit::machine);
    EXPECT_NE(writer.error().cure, "");
  }
  EXPECT_EQ(test::slurp(path), "something older");

  const auto writer = Writer::create(path, Machine{});
  ASSERT_TRUE(writer.has_value());
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  EXPECT_EQ(writer->file_bytes(), static_cast<std::uint64_t>(status.st_size));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_ / ""), {}), 3);
}

TEST_F(WriterTest, AFailedCreateLeavesWhatWasThere) {
  const auto path = directory_ / "capture";
  test::spit(path, "something older");
  {
    const SmallDisk disk(100);
    const auto writer = Writer::create(path, Machine{});
    ASSERT_FALSE(writer.has_value());
    EXPECT_EQ(writer.error().code, EFBIG);
  }
  EXPECT_EQ(test::slurp(path), "something older");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_ / ""), {}), 1);
}

TEST_F(WriterTest, AFullDiskLeavesAGapThatIsTold) {
  const auto path = directory_ / "capture";
  auto writer = Writer::create(path, Machine{});
  add_noise(*writer, 0, 100, 110);
  ASSERT_TRUE(writer->flush(110));
  const std::uint64_t whole = writer->file_bytes();
  {
    const SmallDisk disk(whole + 500);
    add_noise(*writer, 0, 110, 210);
    add_noise(*writer, 3, 150, 160);
    add_noise(*writer, Writer::carrier_source + 99, 120, 130);
    const auto flushed = writer->flush(210);
    ASSERT_FALSE(flushed.has_value());
    EXPECT_EQ(flushed.error().code, EFBIG);
    EXPECT_EQ(flushed.error().exit, Exit::machine);
    EXPECT_EQ(writer->dropped(), 120U);
    EXPECT_EQ(writer->dropped(3), 10U);
    EXPECT_EQ(writer->dropped(7), 0U);
    EXPECT_EQ(writer->file_bytes(), whole);
    EXPECT_EQ(std::filesystem::file_size(path), whole);
    add_noise(*writer, 0, 210, 310);
    ASSERT_FALSE(writer->flush(310).has_value());
    EXPECT_EQ(writer->dropped(), 220U);
  }
  add_noise(*writer, 0, 310, 320);
  ASSERT_TRUE(writer->flush(320));
  ASSERT_TRUE(writer->finish(Machine{}, 400));

  const Contents contents = read("capture");
  EXPECT_TRUE(contents.complete);
  EXPECT_EQ(contents.late, 0U);
  ASSERT_EQ(contents.records.size(), 10U + 3 + 10);
  // In time order: the carrier's gap ends at 129, CPU 3's at 159, CPU 0's at 309.
  const auto& carrier = lost_in(contents.records[10]);
  EXPECT_EQ(carrier.tid, 99U);
  EXPECT_EQ(carrier.rec.cpu, SCHEDSCOPE_CPU_NONE);
  EXPECT_EQ(carrier.count, 10U);
  const auto& third = lost_in(contents.records[11]);
  EXPECT_EQ(third.rec.cpu, 3U);
  EXPECT_EQ(third.begin_ns, 150U);
  EXPECT_EQ(third.end_ns, 159U);
  const auto& first = lost_in(contents.records[12]);
  EXPECT_EQ(first.cause, std::uint32_t{SCHEDSCOPE_LOST_WRITE});
  EXPECT_EQ(first.rec.cpu, 0U);
  EXPECT_EQ(first.rec.time_ns, 309U);
  EXPECT_EQ(first.count, 200U);
  EXPECT_EQ(first.begin_ns, 110U);
  EXPECT_EQ(first.end_ns, 309U);
}

TEST_F(WriterTest, ALossThatCouldNotBeWrittenIsStillTold) {
  const auto path = directory_ / "capture";
  auto writer = Writer::create(path, Machine{});
  {
    const SmallDisk disk(writer->file_bytes());
    auto lost = make_record<schedscope_lost>(SCHEDSCOPE_REC_LOST, 120, 0);
    lost.count = 1000;
    lost.begin_ns = 110;
    lost.end_ns = 120;
    lost.cause = SCHEDSCOPE_LOST_RING_FULL;
    writer->add(0, view_of(lost));
    ASSERT_FALSE(writer->flush(200).has_value());
    lost.begin_ns = 130;
    lost.end_ns = lost.rec.time_ns = 140;
    writer->add(0, view_of(lost));
    ASSERT_FALSE(writer->flush(300).has_value());
  }
  EXPECT_EQ(writer->dropped(), 0U);
  ASSERT_TRUE(writer->finish(Machine{}, 400));
  const Contents contents = read("capture");
  ASSERT_EQ(contents.records.size(), 1U);
  const auto& lost = lost_in(contents.records[0]);
  EXPECT_EQ(lost.cause, std::uint32_t{SCHEDSCOPE_LOST_RING_FULL});
  EXPECT_EQ(lost.count, 2000U);
  EXPECT_EQ(lost.begin_ns, 110U);
  EXPECT_EQ(lost.end_ns, 140U);
}

TEST_F(WriterTest, FinishOnAFullDiskStillClosesTheFileIfThatFits) {
  const auto path = directory_ / "capture";
  auto writer = Writer::create(path, Machine{});
  const SmallDisk disk(writer->file_bytes() + 2000);
  add_noise(*writer, 0, 100, 1000);
  EXPECT_FALSE(writer->finish(Machine{}, 2000).has_value());
  const Contents contents = read("capture");
  EXPECT_TRUE(contents.complete) << contents.damage;
  EXPECT_EQ(contents.end_ns, 2000U);
  ASSERT_EQ(contents.records.size(), 1U);
  EXPECT_EQ(lost_in(contents.records[0]).count, 900U);
}

TEST_F(WriterTest, RecordsOfNoSchemaAreCounted) {
  auto writer = Writer::create(directory_ / "capture", Machine{});
  auto wrong_kind = test::waking(10, 2, 0);
  wrong_kind.rec.kind = SCHEDSCOPE_REC_MAX + 1;
  auto wrong_size = test::waking(20, 2, 0);
  wrong_size.rec.size = 16;
  writer->add(2, view_of(wrong_kind));
  writer->add(2, view_of(wrong_size));
  EXPECT_EQ(writer->dropped(), 2U);
  ASSERT_TRUE(writer->finish(Machine{}, 100));
  const Contents contents = read("capture");
  ASSERT_EQ(contents.records.size(), 1U);
  const auto& lost = lost_in(contents.records[0]);
  EXPECT_EQ(lost.cause, std::uint32_t{SCHEDSCOPE_LOST_INVALID});
  EXPECT_EQ(lost.count, 2U);
  EXPECT_EQ(lost.rec.cpu, 2U);
}

TEST_F(WriterTest, KilledAtAnyTimeItLeavesAFileThatOpens) {
  for (int round = 0; round < 8; ++round) {
    const auto path = directory_ / "capture";
    std::filesystem::remove(path);
    const pid_t child = ::fork();
    if (child == 0) {
      auto writer = Writer::create(path, Machine{});
      for (std::uint64_t time = 0; writer.has_value(); time += 1000) {
        add_noise(*writer, 0, time, time + 1000);
        if (!writer->flush(time + 1000)) break;
      }
      ::_exit(1);
    }
    while (!std::filesystem::exists(path)) ::usleep(1000);
    ::usleep(static_cast<useconds_t>(3000 + 4321 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const Contents contents = read("capture");
    EXPECT_FALSE(contents.complete);
    ASSERT_EQ(contents.records.size() % 1000, 0U);
    for (std::size_t i = 0; i < contents.records.size(); ++i) {
      ASSERT_EQ(reinterpret_cast<const schedscope_rec*>(contents.records[i].data())->time_ns, i);
    }
  }
}

TEST_F(WriterTest, AVeryLongCommandLineIsShortened) {
  const auto path = directory_ / "capture";
  Machine machine;
  machine.command.assign(3 << 20, 'x');
  auto writer = Writer::create(path, machine);
  ASSERT_TRUE(writer.has_value());
  auto reader = Reader::open(path);
  ASSERT_TRUE(reader.has_value());
  EXPECT_EQ(reader->machine().command.size(), 64U << 10);
}

}  // namespace
}  // namespace schedscope::capture
