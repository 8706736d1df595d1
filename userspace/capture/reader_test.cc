// SPDX-License-Identifier: GPL-2.0-only
#include "capture/reader.h"

#include <sys/stat.h>

#include <algorithm>

#include <gtest/gtest.h>

#include "capture/compress.h"
#include "capture/format.h"
#include "capture/layout.h"
#include "capture/machine_json.h"
#include "capture/synthetic.h"
#include "capture/test_files.h"
#include "schema/skipped.h"

namespace schedscope::capture {
namespace {

using test::Contents;
using test::slurp;
using test::spit;

class ReaderTest : public ::testing::Test {
 protected:
  Contents read(std::string_view bytes) {
    spit(directory_ / "damaged", bytes);
    return read_damaged();
  }

  Contents read_damaged() {
    auto reader = Reader::open(directory_ / "damaged");
    if (!reader) return {.records = {}, .damage = reader.error().message()};
    return test::read_all(*reader);
  }

  Error refusal(const std::filesystem::path& path) {
    auto reader = Reader::open(path);
    EXPECT_FALSE(reader.has_value());
    return reader ? Error{} : reader.error();
  }

  // Three chunks of a few records, of every kind, of two sources.
  std::string small_capture() {
    const auto path = directory_ / "small";
    auto writer = Writer::create(path, test::machine_of("first"));
    EXPECT_TRUE(writer.has_value());
    std::uint64_t time = 100;
    for (std::uint64_t chunk = 0; chunk < 3; ++chunk) {
      for (std::uint16_t kind = 1; kind <= SCHEDSCOPE_REC_MAX; ++kind) {
        if (record_bytes(kind) == 0) continue;
        const auto cpu = static_cast<std::uint16_t>(kind % 2);
        const auto words = test::filled(kind, time, cpu, 0, time * 0x0101010101010101);
        writer->add(cpu, test::view(words));
        expected_.push_back(test::bytes_of(test::view(words)));
        ++time;
      }
      EXPECT_TRUE(writer->flush(time));
      ends_.push_back(writer->file_bytes());
    }
    EXPECT_TRUE(writer->finish(test::machine_of("last"), 5000));
    return slurp(path);
  }

  // How many of expected_ a file that is whole up to `bytes` must give back.
  std::size_t records_before(std::size_t bytes) const {
    const auto chunks = std::ranges::count_if(ends_, [&](auto end) { return end <= bytes; });
    return static_cast<std::size_t>(chunks) * expected_.size() / ends_.size();
  }

  void expect_prefix(const Contents& contents, std::size_t records) const {
    ASSERT_EQ(contents.records.size(), records);
    ASSERT_TRUE(std::equal(contents.records.begin(), contents.records.end(), expected_.begin()));
  }

  test::Directory directory_;
  std::vector<std::string> expected_;
  std::vector<std::uint64_t> ends_;  // of the chunks of records
};

TEST_F(ReaderTest, GivesBackWhatWasWritten) {
  const Contents contents = read(small_capture());
  expect_prefix(contents, expected_.size());
  EXPECT_TRUE(contents.complete);
  EXPECT_EQ(contents.damage, "");
  EXPECT_EQ(contents.end_ns, 5000U);
  EXPECT_EQ(contents.late, 0U);
  EXPECT_EQ(contents.unknown, 0U);
}

TEST_F(ReaderTest, MachineIsValidFromTheStart) {
  Machine machine = test::machine_of("6.1.0");
  machine.hostname =
      "h\xff"
      "ost";
  machine.cpus = 8;
  machine.cpus_online = 7;
  machine.hz = 250;
  machine.scheduler = "cfs";
  machine.base_slice_ns = ~0ULL;
  machine.autogroup = -1;
  machine.virtual_machine = true;
  machine.witnesses = {"bpf", "module"};
  machine.missing = {"a \"sentence\"."};
  machine.agent_cpu_ns = 77;
  const auto path = directory_ / "capture";
  auto writer = Writer::create(path, test::machine_of("first"));
  ASSERT_TRUE(writer->finish(machine, 0));
  const auto reader = Reader::open(path);
  ASSERT_TRUE(reader.has_value());
  EXPECT_EQ(reader->machine().kernel, "6.1.0");
  EXPECT_EQ(reader->machine().hostname, "h\xef\xbf\xbdost");  // not UTF-8: U+FFFD
  EXPECT_EQ(reader->machine().base_slice_ns, ~0ULL);
  EXPECT_EQ(reader->machine().autogroup, -1);
  EXPECT_TRUE(reader->machine().virtual_machine);
  EXPECT_EQ(reader->machine().witnesses, machine.witnesses);
  EXPECT_EQ(reader->machine().missing, machine.missing);
  EXPECT_EQ(reader->machine().agent_cpu_ns, 77U);
  machine.hostname = reader->machine().hostname;
  EXPECT_EQ(machine_to_json(reader->machine()), machine_to_json(machine));
}

TEST_F(ReaderTest, MachineFallsBackToTheFirst) {
  std::string bytes = small_capture();
  EXPECT_EQ(Reader::open(directory_ / "small")->machine().kernel, "last");
  bytes[ends_.back() + sizeof(ChunkHeader) + 5] ^= 1;  // in the last machine chunk's payload
  spit(directory_ / "damaged", bytes);
  const auto reader = Reader::open(directory_ / "damaged");
  ASSERT_TRUE(reader.has_value()) << reader.error().message();
  EXPECT_EQ(reader->machine().kernel, "first");
}

TEST_F(ReaderTest, CutOffAnywhereItReadsUpToItsLastWholeChunk) {
  const std::string bytes = small_capture();
  spit(directory_ / "damaged", bytes);
  std::size_t opened = 0;
  for (std::size_t cut = bytes.size(); cut-- > 0;) {
    std::filesystem::resize_file(directory_ / "damaged", cut);
    const Contents contents = read_damaged();
    expect_prefix(contents, records_before(cut));
    ASSERT_FALSE(contents.complete) << cut;
    ASSERT_NE(contents.damage, "") << cut;
    opened += !contents.damage.starts_with("cannot");
    if (!contents.records.empty()) {
      ASSERT_EQ(contents.end_ns, 99 + contents.records.size());
    }
  }
  EXPECT_GE(opened, bytes.size() - ends_[0]);
}

TEST_F(ReaderTest, NoFlippedByteGivesWrongRecords) {
  const std::string bytes = small_capture();
  spit(directory_ / "damaged", bytes);
  std::fstream file(directory_ / "damaged", std::ios::in | std::ios::out | std::ios::binary);
  const auto put = [&](std::size_t at, int byte) {
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte)).flush();
  };
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    put(at, bytes[at] ^ (at % 3 == 0 ? 0xff : 1 << at % 8));
    const Contents contents = read_damaged();
    put(at, bytes[at]);
    ASSERT_LE(contents.records.size(), records_before(at)) << at;
    expect_prefix(contents, at < ends_[0] ? 0 : records_before(at));
    ASSERT_FALSE(contents.complete) << at;
    ASSERT_NE(contents.damage, "") << at;
  }
}

TEST_F(ReaderTest, AChunkTakenOutOrDoubledIsDamage) {
  const std::string bytes = small_capture();
  const std::string without = bytes.substr(0, ends_[0]) + bytes.substr(ends_[1]);
  const std::string twice = bytes.substr(0, ends_[1]) + bytes.substr(ends_[0]);
  expect_prefix(read(without), records_before(ends_[0]));
  EXPECT_FALSE(read(without).complete);
  expect_prefix(read(twice), records_before(ends_[1]));
  EXPECT_FALSE(read(twice).complete);
}

TEST_F(ReaderTest, BytesBehindTheEndAreDamage) {
  const Contents contents = read(small_capture() + "x");
  expect_prefix(contents, expected_.size());
  EXPECT_FALSE(contents.complete);
  EXPECT_NE(contents.damage.find("1 bytes follow"), std::string::npos) << contents.damage;
}

TEST_F(ReaderTest, WithoutFinishTheEndIsTheLastRecord) {
  const auto path = directory_ / "killed";
  {
    auto writer = Writer::create(path, Machine{});
    writer->add(0, view_of(test::waking(123, 0, 1)));
    ASSERT_TRUE(writer->flush(124));
    writer->add(0, view_of(test::waking(130, 0, 1)));  // never flushed
  }
  const Contents contents = read(slurp(path));
  EXPECT_EQ(contents.records.size(), 1U);
  EXPECT_FALSE(contents.complete);
  EXPECT_NE(contents.damage.find("not finished"), std::string::npos) << contents.damage;
  EXPECT_EQ(contents.end_ns, 123U);
}

TEST_F(ReaderTest, RefusesWhatIsNoCapture) {
  spit(directory_ / "empty", "");
  spit(directory_ / "foreign", "PERFILE2 and then some more bytes of it");
  spit(directory_ / "start", "\x89SCH");
  ASSERT_EQ(::mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  const std::pair<std::filesystem::path, const char*> cases[] = {
      {directory_ / "", "it is a directory"},
      {directory_ / "empty", "it is empty"},
      {directory_ / "foreign", "it is not a schedscope capture"},
      {directory_ / "start", "it was cut off before its first record"},
      {directory_ / "pipe", "it is not a regular file"},
      {directory_ / "none", "No such file or directory"},
  };
  for (const auto& [path, wrong] : cases) {
    const Error error = refusal(path);
    EXPECT_EQ(error.wrong, wrong);
    EXPECT_EQ(error.exit, Exit::input);
    EXPECT_EQ(error.tried, "read the capture " + path.string());
    EXPECT_NE(error.cure, "");
  }
}

TEST_F(ReaderTest, RefusesWhatANewerProgramMade) {
  const std::string bytes = small_capture();
  for (const std::size_t member : {offsetof(FileHeader, format), offsetof(FileHeader, schema)}) {
    std::string newer = bytes;
    ++newer[member];
    FileHeader header;
    std::memcpy(&header, newer.data(), sizeof(header));
    header.crc = header_checksum(header);
    std::memcpy(newer.data(), &header, sizeof(header));
    spit(directory_ / "newer", newer);
    const Error error = refusal(directory_ / "newer");
    EXPECT_EQ(error.exit, Exit::input);
    EXPECT_NE(error.wrong.find("this program knows up to 1"), std::string::npos) << error.wrong;
    EXPECT_EQ(error.cure, "read it with the schedscope that made it");
  }
}

// Sound frames around nonsense: what checksums cannot find.
TEST_F(ReaderTest, AbsurdCountsAreDamageAndWhatCameBeforeIsKept) {
  const std::string bytes = small_capture();
  ChunkHeader sound;
  std::memcpy(&sound, bytes.data() + ends_[0], sizeof(sound));
  const std::string huge = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";  // 2^64 - 1
  const std::string base("\0", 1);
  const struct {
    const char* what;
    std::string payload;
    std::uint32_t records;
  } cases[] = {
      {"nothing at all", "", 18},
      {"a number without end", std::string(40, '\xff'), 18},
      {"sections", base + huge, 18},
      {"records of a section", base + "\x01\x05" + huge, 18},
      {"records of the chunk", base + std::string("\0", 1), 0xffffffff},
      {"a column's bytes", base + "\x01\x05\x01" + huge, 1},
      {"a run", base + "\x01\x05\x01" + "\x17" + huge + "\x02", 1},
      {"a kind", base + "\x01\x05\x01" + "\x14" + huge, 1},
      {"no records where the header has some", base + std::string("\0", 1), 18},
  };
  for (const auto& [what, payload, records] : cases) {
    Compressor compressor;
    const auto stored = *compressor.compress(std::as_bytes(std::span(payload)));
    ChunkHeader header = sound;
    header.records = records;
    header.stored_bytes = static_cast<std::uint32_t>(stored.size());
    header.raw_bytes = static_cast<std::uint32_t>(payload.size());
    header.payload_crc = checksum(stored);
    header.crc = header_checksum(header);
    std::string file = bytes.substr(0, ends_[0]);
    file.append(reinterpret_cast<const char*>(&header), sizeof(header));
    file.append(reinterpret_cast<const char*>(stored.data()), stored.size());
    const Contents contents = read(file + bytes.substr(ends_[1]));
    expect_prefix(contents, records_before(ends_[0]));
    EXPECT_FALSE(contents.complete) << what;
    EXPECT_NE(contents.damage.find("is damaged"), std::string::npos) << what << contents.damage;
  }
}

// A payload that says it unpacks to more than memory has is refused before it is unpacked.
TEST_F(ReaderTest, AbsurdSizesAreDamage) {
  const std::string bytes = small_capture();
  for (const std::size_t member :
       {offsetof(ChunkHeader, raw_bytes), offsetof(ChunkHeader, stored_bytes)}) {
    ChunkHeader header;
    std::memcpy(&header, bytes.data() + ends_[0], sizeof(header));
    const std::uint32_t most = 0xffffffff;
    std::memcpy(reinterpret_cast<char*>(&header) + member, &most, sizeof(most));
    header.crc = header_checksum(header);
    std::string file = bytes;
    std::memcpy(file.data() + ends_[0], &header, sizeof(header));
    const Contents contents = read(file);
    expect_prefix(contents, records_before(ends_[0]));
    EXPECT_FALSE(contents.complete);
    EXPECT_NE(contents.damage, "");
  }
}

TEST_F(ReaderTest, StepsOverTypesOfChunksThatItDoesNotKnow) {
  const std::string bytes = small_capture();
  ChunkHeader header{};
  header.magic = chunk_magic;
  header.type = 99;
  header.sequence = 3;  // behind schema, machine and the first chunk of records
  header.stored_bytes = header.raw_bytes = 0;
  header.payload_crc = checksum({});
  header.crc = header_checksum(header);
  std::string longer = bytes.substr(0, ends_[0]);
  longer.append(reinterpret_cast<const char*>(&header), sizeof(header));
  // The chunks behind it move up one number.
  for (std::size_t at = ends_[0]; at < bytes.size();) {
    std::memcpy(&header, bytes.data() + at, sizeof(header));
    ++header.sequence;
    header.crc = header_checksum(header);
    longer.append(reinterpret_cast<const char*>(&header), sizeof(header));
    longer += bytes.substr(at + sizeof(header), header.stored_bytes);
    at += sizeof(header) + header.stored_bytes;
  }
  const Contents contents = read(longer);
  expect_prefix(contents, expected_.size());
  EXPECT_TRUE(contents.complete) << contents.damage;
}

TEST_F(ReaderTest, MergesSourcesOverChunksByTheirWatermarks) {
  const auto path = directory_ / "capture";
  auto writer = Writer::create(path, Machine{});
  const auto add = [&](std::uint64_t source, std::uint64_t time) {
    writer->add(source, view_of(test::waking(time, 0, static_cast<std::uint32_t>(source))));
  };
  add(1, 10), add(1, 30), add(0, 20);
  ASSERT_TRUE(writer->flush(21));
  add(0, 25), add(0, 30), add(2, 30), add(1, 31), add(1, 29);
  ASSERT_TRUE(writer->flush(31));
  add(0, 40), add(2, 15);  // 15 breaks the promise
  ASSERT_TRUE(writer->finish(Machine{}, 50));

  auto reader = Reader::open(path);
  std::vector<std::pair<std::uint64_t, std::uint32_t>> got;
  while (const auto record = reader->next()) {
    got.emplace_back(record->time_ns(), record->as<schedscope_waking>().tid);
  }
  const decltype(got) expected = {{10, 1}, {20, 0}, {25, 0}, {30, 0}, {30, 1},
                                  {30, 2}, {15, 2}, {31, 1}, {29, 1}, {40, 0}};
  EXPECT_EQ(got, expected);
  EXPECT_EQ(reader->late_records(), 1U);
  EXPECT_TRUE(reader->complete());
}

TEST_F(ReaderTest, AFlushLargerThanAChunkComesBackInOrder) {
  const auto path = directory_ / "capture";
  auto writer = Writer::create(path, Machine{});
  constexpr std::uint32_t count = 700'000;  // several chunks
  for (std::uint32_t i = 0; i < count; ++i) {
    writer->add(i % 2, view_of(test::waking(i, 0, i)));
  }
  EXPECT_EQ(writer->pending_records(), count);
  EXPECT_EQ(writer->pending_bytes(), count * sizeof(schedscope_waking));
  ASSERT_TRUE(writer->flush(count));
  EXPECT_EQ(writer->pending_records(), 0U);
  ASSERT_TRUE(writer->finish(Machine{}, count));
  auto reader = Reader::open(path);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto record = reader->next();
    ASSERT_TRUE(record.has_value());
    ASSERT_EQ(record->as<schedscope_waking>().tid, i);
  }
  EXPECT_FALSE(reader->next().has_value());
  EXPECT_TRUE(reader->complete());
  EXPECT_EQ(reader->late_records(), 0U);
}

TEST_F(ReaderTest, AStretchIsReadWithoutWhatIsFarFromIt) {
  const auto path = directory_ / "capture";
  auto writer = Writer::create(path, Machine{});
  constexpr std::uint64_t second = 1'000'000'000;
  for (std::uint64_t at = 1; at <= 100; ++at) {
    for (std::uint16_t cpu = 0; cpu < 2; ++cpu) {
      writer->add(cpu, view_of(test::waking(at * second + cpu, cpu, 7)));
    }
    ASSERT_TRUE(writer->flush(at * second + 2));
  }
  ASSERT_TRUE(writer->finish(Machine{}, 101 * second));

  auto reader = Reader::open(path, {.from_ns = 50 * second, .to_ns = 52 * second});
  std::vector<std::uint64_t> wakings;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> skipped;
  while (const auto record = reader->next()) {
    if (record->kind() == SCHEDSCOPE_REC_WAKING && record->cpu() == 0) {
      wakings.push_back(record->time_ns() / second);
    }
    if (record->kind() != SCHEDSCOPE_REC_LOST) continue;
    const auto& lost = record->as<schedscope_lost>();
    EXPECT_EQ(lost.cause, lost_skipped);
    EXPECT_EQ(lost.count, 0U);
    skipped.emplace_back(lost.begin_ns, lost.end_ns);
  }
  EXPECT_EQ(wakings, (std::vector<std::uint64_t>{1, 48, 49, 50, 51, 52, 100}));
  EXPECT_EQ(skipped,
            (decltype(skipped){{2 * second, 47 * second + 1}, {53 * second, 99 * second + 1}}));
  EXPECT_TRUE(reader->complete()) << reader->damage();
  EXPECT_EQ(reader->late_records(), 0U);
  EXPECT_EQ(reader->end_ns(), 101 * second);
  EXPECT_EQ(reader->chunks().at(static_cast<std::uint16_t>(ChunkType::records)).chunks, 7U);
}

TEST_F(ReaderTest, AStretchOfACaptureThatWasCutOff) {
  const std::string bytes = small_capture();
  spit(directory_ / "damaged", std::string_view(bytes).substr(0, ends_[1] + 10));
  auto reader = Reader::open(directory_ / "damaged", {.from_ns = 100, .to_ns = 200});
  ASSERT_TRUE(reader.has_value());
  expect_prefix(test::read_all(*reader), records_before(ends_[1]));
  EXPECT_FALSE(reader->complete());
}

// The promise: at most 10 bytes a switch on disk, the wakeup before it and all else included.
template <typename Workload>
double bytes_per_switch(const std::filesystem::path& path, std::uint16_t cpus,
                        std::uint64_t flush_every) {
  constexpr std::uint64_t switches = 200'000;
  auto writer = Writer::create(path, Machine{});
  synthetic::fill<Workload>(*writer, cpus, switches, flush_every);
  EXPECT_TRUE(writer->finish(Machine{}, 0));
  EXPECT_EQ(writer->dropped(), 0U);
  return static_cast<double>(std::filesystem::file_size(path)) / double{switches};
}

TEST_F(ReaderTest, ASwitchTakesAtMostTenBytes) {
  const auto path = directory_ / "capture";
  using synthetic::Mixed;
  using synthetic::PingPong;
  for (const std::uint64_t flush_every : {2'000U, 50'000U}) {
    for (const std::uint16_t cpus : std::initializer_list<std::uint16_t>{1, 2, 4}) {
      const double ping_pong = bytes_per_switch<PingPong>(path, cpus, flush_every);
      const double mixed = bytes_per_switch<Mixed>(path, cpus, flush_every);
      EXPECT_LE(ping_pong, 5.0) << cpus << " CPUs, a flush every " << flush_every;
      EXPECT_LE(mixed, 10.0) << cpus << " CPUs, a flush every " << flush_every;
      RecordProperty("bytes_ping_pong", std::to_string(ping_pong));
      RecordProperty("bytes_mixed", std::to_string(mixed));
      if (::getenv("SCHEDSCOPE_TEST_VERBOSE") != nullptr) {
        std::printf("%u CPUs, flush every %lu: ping-pong %.2f, mixed %.2f bytes a switch\n", cpus,
                    flush_every, ping_pong, mixed);
      }
    }
  }
}

}  // namespace
}  // namespace schedscope::capture
