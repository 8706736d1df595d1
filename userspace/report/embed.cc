// SPDX-License-Identifier: GPL-2.0-only
#include "report/embed.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "report/names.h"

namespace schedscope::report {
namespace {

class Column {
 public:
  void add(std::uint64_t number) {
    while (number >= 0x80) {
      bytes_ += static_cast<char>(number | 0x80);
      number >>= 7;
    }
    bytes_ += static_cast<char>(number);
  }
  // no_index becomes 0, so that the commonest value is the shortest.
  void add_index(std::uint32_t index) { add(index == timeline::no_index ? 0 : index + 1ULL); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// The names are the keys of page/src/data.ts.
enum ColumnName {
  gap,  // since the end of the cell before on its lane, or since base_ns
  length,
  value,
  other,
  by,
  nominal,
  count,
  cpu,
  reason,
  flags,
  why,
  mix_used,  // only for cells with count > 1
  mix_key,
  mix_ns,
  column_count,
};
constexpr std::array<const char*, column_count> column_names = {
    "gap", "length", "value", "other", "by",   "nominal", "count",
    "cpu", "reason", "flags", "why",   "used", "share",   "ns"};

using Columns = std::array<Column, column_count>;

void put_cell(Columns& columns, const Lane& lane, const Cell& cell, std::uint64_t previous_ns) {
  // Stretches of a lane do not overlap; if some did, the reader's sums still end where they end.
  const std::uint64_t begin_ns = std::max(cell.begin_ns, previous_ns);
  columns[gap].add(begin_ns - previous_ns);
  columns[length].add(std::max(cell.end_ns, begin_ns) - begin_ns);
  columns[count].add(cell.count);
  if (cell.count > 1) {
    const Mix& mix = lane.mixes[cell.mix];
    columns[mix_used].add(mix.used);
    for (std::size_t i = 0; i < mix.used; ++i) {
      columns[mix_key].add(mix.key[i]);
      columns[mix_ns].add(mix.ns[i]);
    }
    return;
  }
  columns[value].add(cell.value);
  columns[other].add_index(cell.other);
  columns[by].add_index(cell.by);
  columns[nominal].add(cell.nominal_ns);
  columns[cpu].add(cell.cpu);
  columns[reason].add(static_cast<std::uint64_t>(cell.reason));
  columns[flags].add(cell.flags);
  columns[why].add(cell.why);
}

// [call], or [call, futex] with its address in hex: it may be more than a double holds.
nlohmann::ordered_json whys_json(const Pictures& pictures) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const Why& why : pictures.whys()) {
    nlohmann::ordered_json one = {syscall_label(why.syscall)};
    if (why.futex) one.push_back(why.word == 0 ? "several" : fmt::format("{:#x}", why.word));
    out.push_back(std::move(one));
  }
  return out;
}

Result<std::string> deflated(const std::string& bytes) {
  uLongf size = compressBound(bytes.size());
  std::string out(size, '\0');
  // Level 6 is zlib's own middle; 9 took three times as long for 2 % less.
  const int status = compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                               reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), 6);
  if (status != Z_OK) return fail("compress the timeline of the page", zError(status));
  out.resize(size);
  return out;
}

std::uint64_t first_ns(const Pictures& pictures) {
  std::uint64_t first = UINT64_MAX;
  for (const auto kind : {LaneKind::cpu, LaneKind::thread, LaneKind::user}) {
    for (const Lane& lane : pictures.lanes(kind)) {
      if (!lane.cells.empty()) first = std::min(first, lane.cells.front().begin_ns);
    }
  }
  return first == UINT64_MAX ? 0 : first;
}

}  // namespace

std::string script_safe(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (const char byte : json) {
    // These stand only inside JSON's strings, where \u00XX means the same.
    if (byte == '<' || byte == '>' || byte == '&') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(byte));
    } else {
      out += byte;
    }
  }
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto at = [&](std::size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
  };
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const unsigned word = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    out += digits[word >> 18];
    out += digits[word >> 12 & 63];
    out += i + 1 < bytes.size() ? digits[word >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? digits[word & 63] : '=';
  }
  return out;
}

Result<std::string> pictures_json(const Pictures& pictures) {
  const std::uint64_t base_ns = first_ns(pictures);
  Columns columns;
  nlohmann::ordered_json lanes = nlohmann::ordered_json::array();
  std::uint64_t cells = 0;
  constexpr std::array<const char*, 3> kinds = {"cpu", "thread", "user"};
  for (const auto kind : {LaneKind::cpu, LaneKind::thread, LaneKind::user}) {
    const auto& all = pictures.lanes(kind);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i].cells.empty()) continue;
      lanes.push_back({kinds[static_cast<std::size_t>(kind)], i, all[i].cells.size()});
      std::uint64_t previous_ns = base_ns;
      for (const Cell& cell : all[i].cells) {
        put_cell(columns, all[i], cell, previous_ns);
        previous_ns = std::max(previous_ns, cell.end_ns);
      }
      cells += all[i].cells.size();
    }
  }
  nlohmann::ordered_json sizes = nlohmann::ordered_json::object();
  std::string bytes;
  for (std::size_t i = 0; i < column_count; ++i) {
    sizes[column_names[i]] = columns[i].bytes().size();
    bytes += columns[i].bytes();
  }
  auto packed = deflated(bytes);
  if (!packed) return std::unexpected(packed.error());
  const nlohmann::ordered_json out = {{"base_ns", base_ns},
                                      {"resolution_ns", pictures.resolution_ns()},
                                      {"stretches", pictures.stretches()},
                                      {"cells", cells},
                                      {"lanes", std::move(lanes)},
                                      {"whys", whys_json(pictures)},
                                      {"columns", std::move(sizes)},
                                      {"data", base64(*packed)}};
  return out.dump();
}

}  // namespace schedscope::report
