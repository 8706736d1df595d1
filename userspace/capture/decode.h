// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>
#include <vector>

#include "capture/dense.h"
#include "capture/layout.h"
#include "capture/varint.h"
#include "schema/record.h"

namespace schedscope::capture {

// The records of one source in one chunk, as structs of this program.
struct DecodedSection {
  std::uint64_t source = 0;
  std::vector<const schedscope_rec*> order;  // into `memory`
  std::vector<std::uint64_t> memory;
  std::uint64_t unknown = 0;  // records of kinds that this program does not have
};

struct DecodedChunk {
  std::vector<DecodedSection> sections;  // only the first `used` are of this chunk
  std::size_t used = 0;
};

// Turns a chunk's payload back into records. Pure. It believes nothing: a payload that is
// not consistent in itself, or asks for more than format.h allows, is refused.
class ChunkDecoder {
 public:
  // `file`: what the file says its records look like; `own`: what they shall become.
  explicit ChunkDecoder(Layout file, const Layout& own = own_layout());

  // `chunk` may hold an earlier chunk, whose memory is then used again. The error is a
  // clause: "its columns …".
  [[nodiscard]] std::expected<void, std::string_view> decode(std::span<const std::byte> payload,
                                                             std::uint32_t records,
                                                             DecodedChunk& chunk);

 private:
  static constexpr std::uint32_t nowhere = ~0U;

  struct FieldPlan {
    std::uint32_t offset = nowhere;  // in this program's record
    std::uint32_t elements = 0;      // that fit into it
    bool by_value = false;           // later fields of the kind need its values,
    bool by_id = false;              // or which of them are equal;
    bool by_kind = false;            // a later kind needs its values:
    std::vector<std::uint64_t> kept;
    bool referred() const { return by_value || by_id || by_kind; }
    bool wanted() const { return offset != nowhere || referred(); }
  };
  struct KindPlan {
    std::uint16_t kind = 0;
    std::uint32_t bytes = 0;  // of this program's record, 0 when the kind is unknown
    std::vector<FieldPlan> fields;
    bool by_kind = false;  // one of them is
    // Of the section at hand:
    std::uint32_t records = 0;
    std::byte* first = nullptr;
    std::byte* next = nullptr;
    bool seen = false;
  };

  void plan(const Kind& file, const Kind* own, KindPlan& kind);
  [[nodiscard]] std::string_view section(ByteReader& in, DecodedSection& out);
  [[nodiscard]] std::string_view place(DecodedSection& out);
  [[nodiscard]] std::string_view fill_common(ByteReader& in, DecodedSection& out);
  [[nodiscard]] std::string_view groups(ByteReader& in);
  [[nodiscard]] bool fields(ByteReader in, std::size_t kind);
  [[nodiscard]] bool field(std::span<const std::byte> data, bool runs, std::size_t kind,
                           std::size_t index);
  [[nodiscard]] bool values(ByteReader& in, bool runs, const Field& field, std::size_t count);
  [[nodiscard]] bool uncode(const Field& field);
  [[nodiscard]] bool uncode_dict();
  [[nodiscard]] bool uncode_latest(std::size_t kind, const Field& field);
  void store(const KindPlan& plan, const FieldPlan& to, const Field& field);
  void keep(std::size_t index, FieldPlan& to, const Field& field);
  [[nodiscard]] bool column(ByteReader& in, std::size_t count, std::vector<std::uint64_t>& out);
  [[nodiscard]] bool numbers(ByteReader& in, bool runs, std::size_t count,
                             std::vector<std::uint64_t>& out);

  Layout file_;
  std::vector<KindPlan> plans_;      // beside file_.kinds
  std::vector<std::uint16_t> plan_;  // by kind; plans_.size() for none

  // Of the chunk at hand.
  std::uint64_t base_ns_ = 0;
  std::uint32_t records_left_ = 0;
  std::size_t bytes_left_ = 0;
  // Of the section at hand.
  std::vector<std::uint64_t> kinds_;
  std::vector<std::uint64_t> cpus_;
  std::vector<std::size_t> present_;  // indices of the kinds in it
  // Of the kind at hand.
  std::vector<std::uint64_t> numbers_;
  bool all_zero_ = false;  // numbers_ are one run of 0
  std::vector<std::uint64_t> dictionary_;
  std::vector<std::uint32_t> indices_;  // into it
  std::vector<std::uint64_t> last_;
  std::vector<std::vector<std::uint64_t>> field_values_;
  std::vector<std::vector<std::uint32_t>> field_ids_;
  Dense dense_;
};

}  // namespace schedscope::capture
