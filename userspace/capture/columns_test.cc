// SPDX-License-Identifier: GPL-2.0-only
#include <random>

#include <gtest/gtest.h>

#include "capture/decode.h"
#include "capture/encode.h"
#include "capture/test_files.h"

namespace schedscope::capture {
namespace {

using Records = std::vector<std::vector<std::uint64_t>>;

SourceRecords source_of(std::uint64_t number, const Records& records) {
  SourceRecords source{.source = number, .records = {}};
  for (const auto& words : records) source.records.push_back(&test::view(words).header());
  return source;
}

std::vector<std::string> bytes_of(const Records& records) {
  std::vector<std::string> bytes;
  for (const auto& words : records) bytes.push_back(test::bytes_of(test::view(words)));
  return bytes;
}

std::vector<std::string> bytes_of(const DecodedSection& section) {
  std::vector<std::string> bytes;
  for (const auto* record : section.order) bytes.push_back(test::bytes_of(RecordView(record)));
  return bytes;
}

// Every kind with every bit pattern that is apt to go wrong, interleaved.
Records extremes() {
  Records records;
  const std::uint64_t fills[] = {0, ~0ULL, 0x8000'0000'0000'0000, 0x7fff'7fff'7fff'7fff,
                                 1, ~0ULL, 0x8080'8080'8080'8080, 0x0123'4567'89ab'cdef};
  for (std::size_t round = 0; round < std::size(fills); ++round) {
    for (std::uint16_t kind = 1; kind <= SCHEDSCOPE_REC_MAX; ++kind) {
      if (record_bytes(kind) == 0) continue;
      const std::uint64_t time = round % 3 == 2 ? ~0ULL - round : round % 3 * 1'000'000'007;
      records.push_back(test::filled(kind, time, static_cast<std::uint16_t>(round * 9362),
                                     static_cast<std::uint16_t>(~round), fills[round]));
    }
  }
  return records;
}

Records random_records(unsigned seed, std::size_t count) {
  std::mt19937_64 random(seed);
  Records records;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint16_t kind = 0;
    while (record_bytes(kind) == 0) {
      kind = static_cast<std::uint16_t>(1 + random() % SCHEDSCOPE_REC_MAX);
    }
    records.push_back(test::filled(kind, random() >> random() % 64, 0, 0, 0));
    // Few distinct values, so that dictionaries and keys have hits.
    for (std::size_t word = 2; word < records.back().size(); ++word) {
      records.back()[word] = random() % 4 == 0 ? random() : random() % 3;
    }
  }
  return records;
}

TEST(Columns, EveryKindWithExtremeValuesComesBackBitForBit) {
  const Records first = extremes();
  const Records second = random_records(3, 5000);
  const SourceRecords sources[] = {source_of(0, first),
                                   source_of(Writer::carrier_source + 77, second)};
  ChunkEncoder encoder;
  const auto payload = encoder.encode(sources, 12'345);
  ChunkDecoder decoder(own_layout());
  DecodedChunk chunk;
  ASSERT_TRUE(
      decoder.decode(payload, static_cast<std::uint32_t>(first.size() + second.size()), chunk));
  ASSERT_EQ(chunk.used, 2U);
  EXPECT_EQ(chunk.sections[0].source, 0U);
  EXPECT_EQ(chunk.sections[1].source, Writer::carrier_source + 77);
  EXPECT_EQ(bytes_of(chunk.sections[0]), bytes_of(first));
  EXPECT_EQ(bytes_of(chunk.sections[1]), bytes_of(second));
}

TEST(Columns, MemoryOfAnEarlierChunkLeavesNoTrace) {
  ChunkEncoder encoder;
  ChunkDecoder decoder(own_layout());
  DecodedChunk chunk;
  for (unsigned round = 0; round < 20; ++round) {
    const Records records = random_records(round, 1 + round * 37 % 400);
    const SourceRecords source[] = {source_of(round, records)};
    const auto payload = encoder.encode(source, 0);
    ASSERT_TRUE(decoder.decode(payload, static_cast<std::uint32_t>(records.size()), chunk));
    ASSERT_EQ(bytes_of(chunk.sections[0]), bytes_of(records));
  }
}

TEST(Columns, SurviveTheirSchemasWayThroughJson) {
  const auto layout = layout_from_json(layout_to_json(own_layout()));
  ASSERT_TRUE(layout) << layout.error();
  const Records records = extremes();
  const SourceRecords source[] = {source_of(1, records)};
  ChunkEncoder encoder;
  const auto payload = encoder.encode(source, 0);
  ChunkDecoder decoder(*layout);
  DecodedChunk chunk;
  ASSERT_TRUE(decoder.decode(payload, static_cast<std::uint32_t>(records.size()), chunk));
  EXPECT_EQ(bytes_of(chunk.sections[0]), bytes_of(records));
}

// A later program: one kind more, a field more in waking and one in the middle of it.
Layout newer_layout() {
  Layout layout = own_layout();
  layout.kinds.push_back({.kind = 900, .name = "later", .bytes = 24, .fields = {}});
  layout.kinds.back().fields.push_back(
      {.name = "x", .offset = 16, .width = 8, .count = 1, .coding = Coding::dict});
  for (Kind& kind : layout.kinds) {
    if (kind.kind != SCHEDSCOPE_REC_WAKING) continue;
    kind.bytes = 40;
    for (Field& field : kind.fields) {
      if (field.offset >= 20) field.offset += 4;
      // A known field that is coded by an unknown one.
      if (field.name == "target_cpu")
        field.by = 0;
      else if (field.by >= 0)
        ++field.by;
    }
    kind.fields.insert(
        kind.fields.begin(),
        {.name = "later", .offset = 20, .width = 4, .count = 1, .coding = Coding::delta});
  }
  return layout;
}

TEST(Columns, UnknownKindsAreCountedAndUnknownFieldsSteppedOver) {
  const Layout newer = newer_layout();
  // Waking with a 4-byte hole filled at offset 20, and the records of kind 900 between them.
  Records records;
  for (std::uint32_t i = 0; i < 10; ++i) {
    auto words = test::filled(SCHEDSCOPE_REC_WAKING, 100 + i, 3, 1, 0);
    words.resize(5);
    words[2] = (1000 + i % 3) | (std::uint64_t{7 * i} << 32);  // tid, later
    words[3] = (50 + i) | (std::uint64_t{i % 2} << 32);        // waker_tid, target_cpu
    records.push_back(words);
    records.push_back({200 + i, SCHEDSCOPE_REC_WAKING, i});
    reinterpret_cast<schedscope_rec*>(records.back().data())->kind = 900;
  }
  const SourceRecords source[] = {source_of(3, records)};
  ChunkEncoder encoder(newer);
  const auto payload = encoder.encode(source, 0);
  ChunkDecoder decoder(newer, own_layout());
  DecodedChunk chunk;
  ASSERT_TRUE(decoder.decode(payload, 20, chunk));
  EXPECT_EQ(chunk.sections[0].unknown, 10U);
  ASSERT_EQ(chunk.sections[0].order.size(), 10U);
  for (std::uint32_t i = 0; i < 10; ++i) {
    const auto& waking = RecordView(chunk.sections[0].order[i]).as<schedscope_waking>();
    EXPECT_EQ(waking.rec.size, sizeof(schedscope_waking));
    EXPECT_EQ(waking.rec.time_ns, 100 + i);
    EXPECT_EQ(waking.tid, 1000 + i % 3);
    EXPECT_EQ(waking.waker_tid, 50 + i);
    EXPECT_EQ(waking.target_cpu, i % 2);
    EXPECT_EQ(waking.reserved, 0U);
  }
}

// An earlier program: a field less, and a shorter array.
TEST(Columns, FieldsThatTheFileDoesNotHaveAreZero) {
  Layout older = own_layout();
  for (Kind& kind : older.kinds) {
    if (kind.kind != SCHEDSCOPE_REC_CPU_STATS) continue;
    std::erase_if(kind.fields, [](const Field& field) { return field.name == "runs"; });
    for (Field& field : kind.fields) field.count = std::min(field.count, 5U);
  }
  const Records records = {test::filled(SCHEDSCOPE_REC_CPU_STATS, 9, 0, 0, ~0ULL)};
  const SourceRecords source[] = {source_of(0, records)};
  ChunkEncoder encoder(older);
  const auto payload = encoder.encode(source, 0);
  ChunkDecoder decoder(older, own_layout());
  DecodedChunk chunk;
  ASSERT_TRUE(decoder.decode(payload, 1, chunk));
  const auto& stats = RecordView(chunk.sections[0].order[0]).as<schedscope_cpu_stats>();
  EXPECT_EQ(stats.rec.size, sizeof(schedscope_cpu_stats));
  EXPECT_EQ(stats.produced, ~0ULL);
  EXPECT_EQ(stats.lost[4], ~0ULL);
  EXPECT_EQ(stats.lost[5], 0U);
  EXPECT_EQ(stats.run_ns, ~0ULL);
  EXPECT_EQ(stats.runs, 0U);
}

// Without any checksum in the way: every payload is either refused or decoded to whole records.
TEST(Columns, AnyDamagedPayloadIsRefusedOrDecodedInBounds) {
  const Records records = random_records(1, 60);
  const SourceRecords source[] = {source_of(0, records)};
  ChunkEncoder encoder;
  const auto encoded = encoder.encode(source, 0);
  std::vector<std::byte> payload(encoded.begin(), encoded.end());
  ChunkDecoder decoder(own_layout());
  DecodedChunk chunk;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      payload[i] ^= static_cast<std::byte>(flip);
      if (decoder.decode(payload, 60, chunk)) {
        for (const auto* record : chunk.sections[0].order) {
          ASSERT_EQ(record->size, record_bytes(record->kind));
        }
      } else {
        ++refused;
      }
      payload[i] ^= static_cast<std::byte>(flip);
    }
    EXPECT_FALSE(decoder.decode(std::span(payload).first(i), 60, chunk));
  }
  EXPECT_GT(refused, payload.size() / 2);
}

TEST(Columns, AFewBytesCannotAskForMuchMemory) {
  // One section of 2^40 records in one run.
  std::vector<std::byte> payload;
  for (const std::uint64_t number : {0ULL, 1ULL, 0ULL, 1ULL << 40}) put_varint(payload, number);
  std::vector<std::byte> run;
  put_varint(run, 1ULL << 40);
  put_varint(run, SCHEDSCOPE_REC_ACCOUNT);
  put_varint(payload, run.size() << 1 | 1);
  payload.insert(payload.end(), run.begin(), run.end());
  ChunkDecoder decoder(own_layout());
  DecodedChunk chunk;
  EXPECT_FALSE(decoder.decode(payload, ~0U, chunk));
  EXPECT_FALSE(decoder.decode(payload, 1000, chunk));
  EXPECT_EQ(chunk.sections.empty() ? 0 : chunk.sections[0].memory.capacity(), 0U);
}

TEST(Layout, RefusesWhatNoDecoderCouldFollow) {
  const auto with_field = [](std::string_view field) {
    return layout_from_json(R"({"kinds":[{"kind":1,"bytes":32,"fields":[)" + std::string(field) +
                            "]}]}")
        .has_value();
  };
  EXPECT_TRUE(with_field(R"({"name":"a","offset":16,"width":4,"coding":"plain"})"));
  EXPECT_FALSE(with_field(R"({"name":"a","offset":16,"width":3,"coding":"plain"})"));
  EXPECT_FALSE(with_field(R"({"name":"a","offset":29,"width":4,"coding":"plain"})"));
  EXPECT_FALSE(
      with_field(R"({"name":"a","offset":18446744073709551612,"width":4,"coding":"plain"})"));
  EXPECT_FALSE(with_field(R"({"name":"a","offset":16,"width":4,"coding":"magic"})"));
  EXPECT_FALSE(with_field(R"({"name":"a","offset":16,"width":4,"coding":"key","by":"a"})"));
  EXPECT_FALSE(with_field(R"({"name":"a","offset":16,"width":4,"count":2,"coding":"delta"})"));
  EXPECT_FALSE(
      with_field(R"({"name":"a","offset":16,"width":4,"count":99999999999,"coding":"plain"})"));
  EXPECT_FALSE(with_field("7"));
  EXPECT_FALSE(layout_from_json("").has_value());
  EXPECT_FALSE(layout_from_json("[]").has_value());
  EXPECT_FALSE(layout_from_json(std::string(100'000, '[')).has_value());
}

}  // namespace
}  // namespace schedscope::capture
