// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "capture/dense.h"
#include "capture/layout.h"
#include "schema/record.h"

namespace schedscope::capture {

// Records of one source, in its order, each of the size of its kind.
struct SourceRecords {
  std::uint64_t source = 0;
  std::vector<const schedscope_rec*> records;
};

// Turns records into the columns of a chunk's payload. Pure: no file, no compression.
class ChunkEncoder {
 public:
  explicit ChunkEncoder(const Layout& layout = own_layout()) : layout_(layout) {}

  // The payload, valid until the next call.
  [[nodiscard]] std::span<const std::byte> encode(std::span<const SourceRecords> sources,
                                                  std::uint64_t base_ns);

  // Where long columns end in that payload: numbers before and after are distributed
  // differently, so a compressor does well to begin a new table there.
  [[nodiscard]] std::span<const std::size_t> cuts() const { return cuts_; }

 private:
  void section(const SourceRecords& source, std::uint64_t base_ns);
  void common_columns(const SourceRecords& source, std::uint64_t base_ns);
  void group(const Kind& kind);
  void field(const Kind& kind, std::size_t index);
  void load(const Field& field);
  void code(const Field& field);
  void code_latest(const Kind& kind, const Field& field);
  void column(std::span<const std::byte> prefix);
  void raw_column(const Field& field);

  const Layout& layout_;
  std::vector<std::byte> out_;
  std::vector<std::size_t> cuts_;

  const SourceRecords* source_ = nullptr;  // at hand
  // Of the kind at hand.
  std::vector<std::vector<const schedscope_rec*>> groups_;  // by index in the layout
  const std::vector<const schedscope_rec*>* records_ = nullptr;
  std::vector<std::vector<std::uint64_t>> values_;  // by field
  std::vector<std::vector<std::uint32_t>> ids_;     // by field, dense, of fields others refer to
  Dense dense_;
  std::vector<std::uint64_t> numbers_;
  std::vector<std::uint64_t> last_;
  std::vector<std::byte> prefix_;
  std::vector<std::byte> data_;
};

}  // namespace schedscope::capture
