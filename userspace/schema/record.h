// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "uapi/schedscope.h"

namespace schedscope {

// A record in memory: `header()` and the struct of its kind behind it. The bytes
// belong to whoever made the view and are 8-byte aligned.
class RecordView {
 public:
  explicit RecordView(const schedscope_rec* rec) : rec_(rec) {}

  [[nodiscard]] const schedscope_rec& header() const { return *rec_; }
  [[nodiscard]] std::uint16_t kind() const { return rec_->kind; }
  [[nodiscard]] std::uint64_t time_ns() const { return rec_->time_ns; }
  [[nodiscard]] std::uint16_t cpu() const { return rec_->cpu; }
  [[nodiscard]] std::uint16_t flags() const { return rec_->flags; }
  // Of the second witness: see SCHEDSCOPE_REC_SECOND.
  [[nodiscard]] bool second() const { return (rec_->flags & SCHEDSCOPE_REC_SECOND) != 0; }
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return {reinterpret_cast<const std::byte*>(rec_), rec_->size};
  }
  // The whole record as the struct of its kind; the caller has looked at kind().
  template <typename T>
  [[nodiscard]] const T& as() const {
    static_assert(std::is_trivially_copyable_v<T>);
    return *reinterpret_cast<const T*>(rec_);
  }

 private:
  const schedscope_rec* rec_;
};

// Bytes of a record of `kind`, 0 when the kind is not known to this schema.
[[nodiscard]] std::size_t record_bytes(std::uint16_t kind);

// "switch", "waking", …; "unknown" for a kind that this schema does not have.
[[nodiscard]] std::string_view record_kind_name(std::uint16_t kind);

// "ring_full", "recursion", …: the words of INTERFACES for `records.lost`.
[[nodiscard]] std::string_view lost_cause_name(std::uint32_t cause);

// A record of struct T with its header filled in and all else zero.
template <typename T>
[[nodiscard]] T make_record(std::uint16_t kind, std::uint64_t time_ns,
                            std::uint16_t cpu = SCHEDSCOPE_CPU_NONE, std::uint16_t flags = 0) {
  T record{};
  record.rec = {.time_ns = time_ns, .kind = kind, .size = sizeof(T), .cpu = cpu, .flags = flags};
  return record;
}

// A view of any record struct.
template <typename T>
[[nodiscard]] RecordView view_of(const T& record) {
  return RecordView(&record.rec);
}

}  // namespace schedscope
