// SPDX-License-Identifier: GPL-2.0-only
#include "collect/user_ring.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/fd.h"

namespace schedscope::collect {
namespace {

using Lines = std::vector<std::string>;

// A ring that says whatever a test wants.
class Liar {
 public:
  static constexpr std::uint64_t capacity = 256;
  static constexpr std::size_t bytes = 4096 + capacity * 16;

  explicit Liar(std::size_t size = bytes, int seals = F_SEAL_SHRINK | F_SEAL_GROW)
      : fd(::memfd_create("liar", MFD_ALLOW_SEALING)) {
    EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size)), 0);
    base = ::mmap(nullptr, std::max<std::size_t>(size, bytes), PROT_READ | PROT_WRITE, MAP_SHARED,
                  fd.get(), 0);
    EXPECT_NE(base, MAP_FAILED);
    if (size >= 4096) {
      header() = {.magic = SCHEDSCOPE_UTHREAD_MAGIC,
                  .version = SCHEDSCOPE_UTHREAD_VERSION,
                  .header_bytes = 4096,
                  .record_bytes = 16,
                  .capacity = capacity,
                  .pid = 1,
                  .tid = 2,
                  .created = Clocks::stamp(),
                  .clock = SCHEDSCOPE_UTHREAD_CLOCK_HERE_,
                  .closed = 0,
                  .carrier_seq = 0,
                  .reserved = 0,
                  .run_queue = 0,
                  .runtime = "liar",
                  .head = 0};
    }
    EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  }
  ~Liar() { ::munmap(base, bytes); }
  Liar(const Liar&) = delete;
  Liar& operator=(const Liar&) = delete;

  [[nodiscard]] schedscope_uthread_header& header() const {
    return *static_cast<schedscope_uthread_header*>(base);
  }
  void write(std::uint64_t stamp, std::uint64_t id, std::uint64_t kind) const {
    auto* records = reinterpret_cast<schedscope_uthread_record*>(static_cast<char*>(base) + 4096);
    records[header().head++ % capacity] = {.stamp = stamp, .word = id << 8 | kind};
  }
  [[nodiscard]] bool accepted() const { return UserRing::open(fd.get(), 1).has_value(); }

  Fd fd;
  void* base = nullptr;
};

Lines drain(UserRing& ring, Clocks& clocks) {
  Lines lines;
  ring.look();
  clocks.mark();
  ring.drain(clocks, [&](std::uint64_t, RecordView record) {
    if (record.kind() == SCHEDSCOPE_REC_LOST) {
      const auto& lost = record.as<schedscope_lost>();
      lines.push_back(fmt::format("{} {}", lost_cause_name(lost.cause), lost.count));
    } else if (record.kind() == SCHEDSCOPE_REC_USER_NAME) {
      lines.push_back(reinterpret_cast<const char*>(record.as<schedscope_user_name>().name));
    } else if (record.kind() != SCHEDSCOPE_REC_USER_CARRIER) {
      lines.push_back(
          fmt::format("{} {}", record_kind_name(record.kind()), record.as<schedscope_user>().id));
    }
  });
  return lines;
}

// The reader was off the CPU between its look at the ring and at the clocks: the gap is told to end
// after records that come later, and are as sound as any.
TEST(user_ring, what_was_written_before_a_gap_was_told_of_is_kept) {
  const Liar liar;
  auto opened = UserRing::open(liar.fd.get(), 1);
  ASSERT_TRUE(opened.has_value());
  UserRing& ring = *opened;
  Clocks clocks;
  drain(ring, clocks);
  for (std::uint64_t id = 1; id <= 10; ++id) liar.write(Clocks::stamp(), id, 1);
  ring.look();
  for (std::uint64_t id = 11; id <= 11 + Liar::capacity; ++id) liar.write(Clocks::stamp(), id, 1);
  ::usleep(5000);
  clocks.mark();
  std::uint64_t lost = 0;
  ring.drain(clocks, [&](std::uint64_t, RecordView record) {
    if (record.kind() == SCHEDSCOPE_REC_LOST) lost += record.as<schedscope_lost>().count;
  });
  EXPECT_EQ(lost, 10U);
  const Lines lines = drain(ring, clocks);
  ASSERT_EQ(lines.size(), Liar::capacity);  // the place of one may be in the writer's hands
  EXPECT_EQ(lines.front(), "overrun 2");
  EXPECT_EQ(lines.back(), fmt::format("user_switch {}", 11 + Liar::capacity));
}

TEST(user_ring, takes_only_sound_files) {
  EXPECT_TRUE(Liar().accepted());
  EXPECT_FALSE(Liar(Liar::bytes, 0).accepted()) << "could be cut off under our eyes";
  EXPECT_FALSE(Liar(Liar::bytes, F_SEAL_GROW).accepted());
  EXPECT_FALSE(Liar(100).accepted());
  EXPECT_FALSE(Liar(4096).accepted());
  EXPECT_FALSE(Liar(Liar::bytes + 16).accepted());
  EXPECT_FALSE(Liar(4096 + 16 * (1ULL << 23)).accepted());
  EXPECT_FALSE(UserRing::open(STDERR_FILENO, 1).has_value());
  EXPECT_FALSE(UserRing::open(-1, 1).has_value());
  const auto spoiled = [](auto spoil) {
    Liar liar;
    spoil(liar.header());
    return liar.accepted();
  };
  EXPECT_TRUE(spoiled([](auto&) {}));
  EXPECT_FALSE(spoiled([](auto& header) { header.magic++; }));
  EXPECT_FALSE(spoiled([](auto& header) { header.version++; }));
  EXPECT_FALSE(spoiled([](auto& header) { header.capacity *= 2; }));
  EXPECT_FALSE(spoiled([](auto& header) { header.record_bytes = 0; }));
  EXPECT_FALSE(spoiled([](auto& header) { header.header_bytes = 1U << 31; }));
  EXPECT_FALSE(spoiled([](auto& header) { header.clock = 7; }));
}

TEST(user_ring, nonsense_is_counted) {
  Liar liar;
  Clocks clocks;
  auto ring = UserRing::open(liar.fd.get(), 1);
  ASSERT_TRUE(ring.has_value());
  liar.write(Clocks::stamp(), 1, SCHEDSCOPE_UTHREAD_SWITCH);
  liar.write(Clocks::stamp(), 1, 0);                        // no kind
  liar.write(Clocks::stamp(), 1, 200);                      // no kind
  liar.write(Clocks::stamp(), 0, SCHEDSCOPE_UTHREAD_PARK);  // the runtime does not park
  liar.write(0, 1, SCHEDSCOPE_UTHREAD_READY);               // long ago
  liar.write(UINT64_MAX, 1, SCHEDSCOPE_UTHREAD_READY);      // far ahead
  liar.write(0x6465, 1, SCHEDSCOPE_UTHREAD_NAME + 1);       // no first part
  liar.write(0x41, 0, SCHEDSCOPE_UTHREAD_NAME);             // the runtime has no name
  liar.write(0x4141414141414141, 3, SCHEDSCOPE_UTHREAD_NAME);
  liar.write(0x42, 4, SCHEDSCOPE_UTHREAD_NAME + 1);  // another's second part
  liar.write(Clocks::stamp(), 2, SCHEDSCOPE_UTHREAD_SWITCH);
  EXPECT_EQ(drain(*ring, clocks), (Lines{"user_switch 1", "user_switch 2", "invalid 8"}));
  EXPECT_EQ(drain(*ring, clocks), Lines{});
}

TEST(user_ring, a_head_that_jumps) {
  Liar liar;
  Clocks clocks;
  auto ring = UserRing::open(liar.fd.get(), 1);
  ASSERT_TRUE(ring.has_value());
  liar.write(Clocks::stamp(), 1, SCHEDSCOPE_UTHREAD_SWITCH);
  EXPECT_EQ(drain(*ring, clocks), Lines{"user_switch 1"});
  // What is in the ring then is old or empty.
  liar.header().head = 1ULL << 60;
  const Lines lines = drain(*ring, clocks);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], fmt::format("overrun {}", (1ULL << 60) - 256));
  EXPECT_EQ(lines[1], "invalid 255");
  liar.header().head = 5;
  EXPECT_EQ(drain(*ring, clocks), Lines{"invalid 1"});
  liar.write(Clocks::stamp(), 9, SCHEDSCOPE_UTHREAD_SWITCH);
  EXPECT_EQ(drain(*ring, clocks), Lines{"user_switch 9"});
}

TEST(user_ring, a_capacity_that_changes_is_not_believed) {
  Liar liar;
  Clocks clocks;
  auto ring = UserRing::open(liar.fd.get(), 1);
  ASSERT_TRUE(ring.has_value());
  liar.header().capacity = 1U << 31;
  liar.header().header_bytes = 1U << 31;
  for (int i = 0; i < 1000; i++) liar.write(Clocks::stamp(), 1, SCHEDSCOPE_UTHREAD_SWITCH);
  EXPECT_EQ(drain(*ring, clocks).front(), "overrun 745");
}

TEST(user_ring, a_name_over_two_drains) {
  Liar liar;
  Clocks clocks;
  auto ring = UserRing::open(liar.fd.get(), 1);
  ASSERT_TRUE(ring.has_value());
  liar.write(0x4141414141414141, 3, SCHEDSCOPE_UTHREAD_NAME);
  EXPECT_EQ(drain(*ring, clocks), Lines{});
  liar.write(0x4242, 3, SCHEDSCOPE_UTHREAD_NAME + 1);
  EXPECT_EQ(drain(*ring, clocks), Lines{"AAAAAAAABB"});
}

TEST(user_ring, a_name_cut_by_a_gap) {
  Liar liar;
  Clocks clocks;
  auto ring = UserRing::open(liar.fd.get(), 1);
  ASSERT_TRUE(ring.has_value());
  liar.write(0x4141414141414141, 3, SCHEDSCOPE_UTHREAD_NAME);
  for (int i = 0; i < 2; i++) liar.write(0x42, 3, SCHEDSCOPE_UTHREAD_NAME + 1);
  for (int i = 0; i < 254; i++) liar.write(Clocks::stamp(), 4, SCHEDSCOPE_UTHREAD_SWITCH);
  // The first is overwritten, the second cannot be told from one that is being overwritten, the
  // third has lost its beginning.
  const Lines lines = drain(*ring, clocks);
  EXPECT_EQ(lines.front(), "overrun 3");
  EXPECT_EQ(lines.size(), 255U);
}

}  // namespace
}  // namespace schedscope::collect
