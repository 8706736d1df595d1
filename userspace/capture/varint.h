// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

namespace schedscope::capture {

// LEB128: seven bits a byte, the lowest first, the top bit says that more follow.
inline void put_varint(std::vector<std::byte>& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<std::byte>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<std::byte>(value));
}

// Small differences of either sign become small numbers: 0 -1 1 -2 2 … to 0 1 2 3 4 …
[[nodiscard]] constexpr std::uint64_t zigzag(std::uint64_t difference) {
  return (difference << 1) ^ (0 - (difference >> 63));
}

[[nodiscard]] constexpr std::uint64_t unzigzag(std::uint64_t value) {
  return (value >> 1) ^ (0 - (value & 1));
}

// Takes bytes from the front of a span and never reads behind its end.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  // False when the bytes end or the number has more than 64 bits.
  [[nodiscard]] bool varint(std::uint64_t& value) {
    if (at_ == end_) return false;
    const auto first = static_cast<std::uint64_t>(*at_++);
    value = first & 0x7f;
    return first < 0x80 || varint_rest(value);
  }

  // The same of many.
  [[nodiscard]] bool varints(std::span<std::uint64_t> values) {
    std::uint64_t* to = values.data();
    std::uint64_t* const end = to + values.size();
    for (std::uint64_t word = 0; end - to >= 8 && left() >= sizeof(word);) {
      std::memcpy(&word, at_, sizeof(word));
      // Columns whose numbers have one byte are common.
      if ((word & 0x8080808080808080) == 0) {
        for (unsigned k = 0; k < 8; ++k) *to++ = word >> (8 * k) & 0xff;
        at_ += sizeof(word);
        continue;
      }
      for (unsigned k = 0; k < 8; ++k) {
        if (!varint(*to++)) return false;
      }
    }
    while (to != end) {
      if (!varint(*to++)) return false;
    }
    return true;
  }

  [[nodiscard]] std::optional<std::span<const std::byte>> take(std::uint64_t bytes) {
    if (bytes > left()) return std::nullopt;
    const std::span taken(at_, static_cast<std::size_t>(bytes));
    at_ += bytes;
    return taken;
  }

 private:
  [[nodiscard]] bool varint_rest(std::uint64_t& value) {
    for (unsigned shift = 7; shift < 64 && at_ != end_; shift += 7) {
      const auto byte = static_cast<std::uint64_t>(*at_++);
      if (shift == 63 && byte > 1) return false;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  const std::byte* at_;
  const std::byte* end_;
};

}  // namespace schedscope::capture
