// SPDX-License-Identifier: GPL-2.0-only
#include "capture/flight.h"

#include <gtest/gtest.h>

#include "capture/test_files.h"

namespace schedscope::capture {
namespace {

using test::Contents;

constexpr std::uint64_t second = 1'000'000'000;

// A recording of one CPU, a wakeup each 100 ms: its thread tells when.
class FlightTest : public ::testing::Test {
 protected:
  void begin(Flight& flight, std::uint64_t now_ns) {
    flight.begin_piece(now_ns, now_ns / 100);
    add(flight, Writer::agent_source, test::waking(now_ns, SCHEDSCOPE_CPU_NONE, opening));
    add(flight, Writer::carrier_source + 5, test::waking(now_ns, SCHEDSCOPE_CPU_NONE, opening));
    flush(flight, now_ns);
    flight.opened();
  }
  static void add(Flight& flight, std::uint64_t source, const schedscope_waking& record) {
    const RecordView view = view_of(record);
    flight.writer().add(source, view);
    flight.count(source, view);
  }
  static void flush(Flight& flight, std::uint64_t now_ns) {
    ASSERT_TRUE(flight.writer().flush(now_ns).has_value());
  }
  void record(Flight& flight, std::uint64_t from_ns, std::uint64_t to_ns) {
    begin(flight, from_ns);
    for (std::uint64_t t = from_ns; t < to_ns; t += second / 10) {
      if (t != from_ns && flight.is_piece_full(t)) begin(flight, t);
      add(flight, 0, test::waking(t, 0, static_cast<std::uint32_t>(t / 1000)));
      flush(flight, t);
    }
  }
  Contents saved(const Flight& flight, std::uint64_t end_ns) {
    const auto path = directory_ / "flight";
    const auto result = flight.save(path, test::machine_of("6.1"), end_ns);
    EXPECT_TRUE(result.has_value());
    auto reader = Reader::open(path);
    EXPECT_TRUE(reader.has_value());
    Contents contents = reader ? test::read_all(*reader) : Contents{};
    EXPECT_TRUE(contents.complete) << contents.damage;
    EXPECT_EQ(contents.late, 0U);
    EXPECT_EQ(contents.end_ns, end_ns);
    EXPECT_EQ(result ? result->records : 0, contents.records.size());
    EXPECT_EQ(result ? result->file_bytes : 0, std::filesystem::file_size(path));
    return contents;
  }
  static constexpr std::uint32_t opening = 1;

  test::Directory directory_;
};

std::uint64_t time_of(const std::string& bytes) {
  return reinterpret_cast<const schedscope_rec*>(bytes.data())->time_ns;
}

std::size_t openings_in(const test::Contents& contents) {
  std::size_t n = 0;
  for (const std::string& bytes : contents.records) {
    n += RecordView(reinterpret_cast<const schedscope_rec*>(bytes.data()))
                     .as<schedscope_waking>()
                     .tid == 1
             ? 1
             : 0;
  }
  return n;
}

TEST_F(FlightTest, ShorterThanItsSpanIsAllThere) {
  Flight flight({.span_ns = 40 * second, .most_bytes = 1 << 20});
  record(flight, 100 * second, 125 * second);
  EXPECT_EQ(flight.start_ns(), 100 * second);
  EXPECT_EQ(flight.cpu_ns(), second);
  EXPECT_EQ(flight.gone(0).produced(), 0U);
  EXPECT_FALSE(flight.cut_short());
  const Contents contents = saved(flight, 125 * second);
  EXPECT_EQ(contents.records.size(), 250U + 2U);
  EXPECT_EQ(openings_in(contents), 2U);
  EXPECT_EQ(flight.told(), 1U);
}

TEST_F(FlightTest, TheOldestPiecesGo) {
  Flight flight({.span_ns = 8 * second, .most_bytes = 1 << 20});
  record(flight, 100 * second, 161 * second);
  // Pieces of two seconds; the last one began at 160 s.
  EXPECT_EQ(flight.start_ns(), 152 * second);
  EXPECT_EQ(flight.cpu_ns(), 152 * second / 100);
  EXPECT_FALSE(flight.cut_short());
  EXPECT_EQ(flight.gone(0).records, 520U);
  const Contents contents = saved(flight, 161 * second);
  EXPECT_EQ(contents.records.size(), 90U + 2U);
  EXPECT_EQ(openings_in(contents), 2U);
  EXPECT_EQ(time_of(contents.records.front()), 152 * second);
  EXPECT_EQ(time_of(contents.records.back()), 161 * second - second / 10);
}

TEST_F(FlightTest, KnowsTheStacksOfWhatItKeeps) {
  Flight flight({.span_ns = 8 * second, .most_bytes = 1 << 20});
  for (std::uint32_t i = 0; i < 20; ++i) {
    begin(flight, i * second + second);
    schedscope_stack stack{};
    stack.rec = {.time_ns = i * second + second,
                 .kind = SCHEDSCOPE_REC_STACK,
                 .size = sizeof(stack),
                 .cpu = 0,
                 .flags = 0};
    stack.kernel = 100 + i;
    stack.user = 200 + i;
    flight.count(0, view_of(stack));
  }
  const auto stacks = flight.stacks();
  EXPECT_FALSE(stacks.contains(100));
  EXPECT_FALSE(stacks.contains(210));
  EXPECT_TRUE(stacks.contains(111));
  EXPECT_TRUE(stacks.contains(219));
  EXPECT_EQ(stacks.size(), 2 * 9U);
}

TEST_F(FlightTest, CountsWhatIsGoneAsTheSourcesDo) {
  Flight flight({.span_ns = 4 * second, .most_bytes = 1 << 20});
  begin(flight, 100 * second);
  auto lost = make_record<schedscope_lost>(SCHEDSCOPE_REC_LOST, 101 * second, 0);
  lost.count = 7;
  lost.cause = SCHEDSCOPE_LOST_RING_FULL;
  const auto words = test::filled(SCHEDSCOPE_REC_SWITCH, 101 * second, 0, 0, 0);
  for (const RecordView record : {view_of(lost), test::view(words)}) {
    flight.writer().add(0, record);
    flight.count(0, record);
  }
  add(flight, Writer::carrier_source + 5, test::waking(101 * second, SCHEDSCOPE_CPU_NONE, 2));
  flush(flight, 101 * second);
  EXPECT_EQ(flight.told(), 2U);
  record(flight, 102 * second, 110 * second);
  EXPECT_GT(flight.start_ns(), 102 * second);
  const Flight::Gone gone = flight.gone(0);
  EXPECT_EQ(gone.switches, 1U);
  EXPECT_EQ(gone.lost[SCHEDSCOPE_LOST_RING_FULL], 7U);
  EXPECT_EQ(gone.produced(), gone.records + 7);
  EXPECT_EQ(flight.gone(Writer::carrier_source).records, 1U);
  EXPECT_EQ(flight.gone(1).produced(), 0U);
  EXPECT_EQ(flight.told(), 1U);
}

TEST_F(FlightTest, IsShorterRatherThanLarger) {
  Flight flight({.span_ns = 1000 * second, .most_bytes = 16 << 10});
  record(flight, 100 * second, 400 * second);
  EXPECT_TRUE(flight.cut_short());
  EXPECT_GT(flight.start_ns(), 100 * second);
  const Contents contents = saved(flight, 400 * second);
  EXPECT_GT(contents.records.size(), 2U);
  EXPECT_LT(std::filesystem::file_size(directory_ / "flight"), (16U << 10) + 8192);
  EXPECT_EQ(time_of(contents.records.front()), flight.start_ns());
  EXPECT_EQ(flight.gone(0).records + contents.records.size() - 2, 3000U);
}

// The totals that a recorder writes last are of what was kept before.
TEST_F(FlightTest, HeldItIsLargerRatherThanShorter) {
  Flight flight({.span_ns = 400 * second, .most_bytes = 20'000});
  record(flight, 100 * second, 300 * second);
  const Flight::Gone before = flight.gone(0);
  ASSERT_GT(before.produced(), 0U);
  flight.hold();
  for (std::uint64_t t = 300 * second; t < 320 * second; t += second / 10) {
    add(flight, 0, test::waking(t, 0, static_cast<std::uint32_t>(t / 1000)));
    flush(flight, t);
  }
  EXPECT_EQ(flight.gone(0).produced(), before.produced());
}

TEST_F(FlightTest, AFileThatCannotBeMadeIsAnError) {
  Flight flight({.span_ns = second, .most_bytes = 1 << 20});
  begin(flight, second);
  EXPECT_FALSE(flight.save(directory_ / "none/flight", {}, second).has_value());
}

}  // namespace
}  // namespace schedscope::capture
