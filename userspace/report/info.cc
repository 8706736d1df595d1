// SPDX-License-Identifier: GPL-2.0-only
#include "report/info.h"

#include <array>
#include <chrono>
#include <string_view>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/json.h"
#include "report/ink.h"
#include "report/names.h"
#include "report/table.h"
#include "schema/record.h"

namespace schedscope::report {
namespace {

using capture::Info;
using json = nlohmann::ordered_json;

std::string chunk_name(std::uint16_t type) {
  constexpr std::array<std::string_view, 5> names = {"", "schema", "machine", "records", "end"};
  if (type != 0 && type < names.size()) return std::string(names[type]);
  return fmt::format("type {}", type);
}

std::string lost_name(std::size_t cause) {
  return std::string(lost_cause_name(static_cast<std::uint32_t>(cause)));
}

// CLOCK_REALTIME when recording began, by the first pair of clocks.
std::optional<std::uint64_t> began_real_ns(const Info& info) {
  if (!info.clock_first || info.machine.start_ns == 0) return std::nullopt;
  return info.clock_first->real_ns - info.clock_first->rec.time_ns + info.machine.start_ns;
}

std::string utc(std::uint64_t real_ns) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC",
                     fmt::gmtime(static_cast<std::time_t>(real_ns / 1'000'000'000)));
}

class Text {
 public:
  Text(const Info& info, const TextOptions& options) : info_(info), options_(options) {}

  std::string make() {
    out_ = fmt::format("{}, {}\n\n", ink_.painted("1", printable(info_.file)),
                       human_bytes(info_.bytes));
    line("Format", fmt::format("{}, records of schema {}", info_.format, info_.schema));
    machine();
    time();
    records();
    lost();
    line("Complete", info_.complete ? "yes" : "NO: " + info_.damage);
    chunks();
    kinds();
    return std::move(out_);
  }

 private:
  void line(std::string_view head, const std::string& text) {
    constexpr std::size_t indent = 11;
    const std::size_t room = std::max<std::size_t>(options_.width, indent + 20);
    const std::string body = wrapped(std::string(indent, '_') + text, room, indent);
    out_ += ink_.painted("2", fmt::format("{:{}}", head, indent)) + body.substr(indent) + "\n";
  }

  void machine() {
    const capture::Machine& machine = info_.machine;
    const auto known = [](const std::string& text) {
      return text.empty() ? std::string("unknown") : printable(text);
    };
    std::string text = fmt::format("Linux {} on {}, {}", known(machine.kernel),
                                   known(machine.hostname), plural(machine.cpus, "possible CPU"));
    if (machine.hz != 0) text += fmt::format(", HZ={}", machine.hz);
    if (!machine.scheduler.empty()) text += ", " + printable(machine.scheduler);
    for (std::size_t i = 0; i < machine.witnesses.size(); ++i) {
      text += (i == 0 ? "; witnessed by " : " and ") + printable(machine.witnesses[i]);
    }
    line("Machine", text);
    line("Recorded", machine.filter.empty() ? "the whole machine" : printable(machine.filter));
    if (!machine.trigger.empty()) line("Kept because", printable(machine.trigger));
    if (!machine.command.empty()) line("Command", printable(machine.command));
  }

  void time() {
    const std::uint64_t start = info_.machine.start_ns;
    std::string text = info_.end_ns >= start ? human_ns(info_.end_ns - start) : "unknown";
    if (const auto real = began_real_ns(info_)) text += ", from " + utc(*real);
    if (info_.first_ns != 0) {
      text += fmt::format("; CLOCK_MONOTONIC {} to {} ns", start, info_.end_ns);
    }
    line("Time", text);
    if (info_.clock_pairs == 0) return line("Clocks", "no readings of other clocks");
    line("Clocks", fmt::format("{} of MONOTONIC with BOOTTIME, REALTIME{}, each within {}",
                               plural(info_.clock_pairs, "reading"),
                               info_.clock_first->tsc != 0 ? " and TSC" : "",
                               human_ns(info_.clock_error_ns)));
  }

  void records() {
    std::string text = grouped(info_.records);
    if (const std::uint64_t switches = info_.switches(); switches != 0) {
      text +=
          fmt::format(", {} of them switches; {:.2f} bytes of the file a switch", grouped(switches),
                      static_cast<double>(info_.bytes) / static_cast<double>(switches));
    }
    if (info_.second_records != 0) {
      text += fmt::format("; {} are the second witness's", grouped(info_.second_records));
    }
    if (info_.unknown_records != 0) {
      text += fmt::format("; {} more of kinds that this program does not know",
                          grouped(info_.unknown_records));
    }
    if (info_.late_records != 0) {
      text +=
          fmt::format("; {} came too late to be sure of their place", grouped(info_.late_records));
    }
    line("Records", text);
  }

  void lost() {
    std::string text;
    for (std::size_t cause = 0; cause < info_.lost.size(); ++cause) {
      const Info::Lost& lost = info_.lost[cause];
      if (lost.gaps == 0) continue;
      text += fmt::format("{}{} {} in {}", text.empty() ? "" : "; ", lost_name(cause),
                          grouped(lost.records), plural(lost.gaps, "gap"));
    }
    line("Lost", text.empty() ? "no gap" : text);
  }

  void chunks() {
    out_ += ink_.heading("Chunks");
    Table table({{.title = "type", .right = false, .importance = 9},
                 {.title = "chunks", .importance = 8},
                 {.title = "records", .importance = 7},
                 {.title = "bytes in the file", .importance = 6},
                 {.title = "unpacked", .importance = 5}});
    for (const auto& [type, chunks] : info_.chunks) {
      table.row({chunk_name(type), grouped(chunks.chunks), grouped(chunks.records),
                 grouped(chunks.stored_bytes), grouped(chunks.raw_bytes)});
    }
    out_ += table.text(options_.width, options_.color);
  }

  void kinds() {
    out_ += ink_.heading("Records");
    Table table({{.title = "kind", .importance = 6},
                 {.title = "name", .right = false, .importance = 9},
                 {.title = "records", .importance = 8},
                 {.title = "bytes each", .importance = 5}});
    for (const Info::Kind& kind : info_.kinds) {
      if (kind.known && kind.records == 0) continue;
      table.row({fmt::format("{}", kind.kind), printable(kind.name),
                 kind.known ? grouped(kind.records) : "unknown", fmt::format("{}", kind.bytes)});
    }
    out_ += table.text(options_.width, options_.color);
  }

  const Info& info_;
  const TextOptions& options_;
  Ink ink_{options_.color};
  std::string out_;
};

json clock_json(const schedscope_clock& clock) {
  json out = {
      {"monotonic_ns", clock.rec.time_ns}, {"boot_ns", clock.boot_ns}, {"real_ns", clock.real_ns}};
  if (clock.tsc != 0) out["tsc"] = clock.tsc;
  out["error_ns"] = clock.error_ns;
  return out;
}

json chunks_json(const Info& info) {
  json out = json::array();
  for (const auto& [type, chunks] : info.chunks) {
    out.push_back({{"type", type},
                   {"name", chunk_name(type)},
                   {"chunks", chunks.chunks},
                   {"records", chunks.records},
                   {"stored_bytes", chunks.stored_bytes},
                   {"raw_bytes", chunks.raw_bytes}});
  }
  return out;
}

json kinds_json(const Info& info) {
  json out = json::array();
  for (const Info::Kind& kind : info.kinds) {
    json entry = {{"kind", kind.kind}, {"name", printable(kind.name)}, {"bytes", kind.bytes}};
    // How many there are of a kind that this program does not have is not known of each.
    if (kind.known) entry["records"] = kind.records;
    out.push_back(std::move(entry));
  }
  return out;
}

json lost_json(const Info& info) {
  json out = json::object();
  for (std::size_t cause = 0; cause < info.lost.size(); ++cause) {
    const Info::Lost& lost = info.lost[cause];
    if (lost.gaps != 0) out[lost_name(cause)] = {{"records", lost.records}, {"gaps", lost.gaps}};
  }
  return out;
}

}  // namespace

std::string info_text(const Info& info, const TextOptions& options) {
  return Text(info, options).make();
}

std::string info_json(const Info& info) {
  json out = {{"schema", 1},           {"file", printable(info.file)}, {"bytes", info.bytes},
              {"format", info.format}, {"record_schema", info.schema}, {"complete", info.complete}};
  if (!info.complete) out["damage"] = info.damage;
  out["start_ns"] = info.machine.start_ns;
  out["end_ns"] = info.end_ns;
  if (info.first_ns != 0) {
    out["first_record_ns"] = info.first_ns;
    out["last_record_ns"] = info.last_ns;
  }
  out["records"] = info.records;
  out["second_witness_records"] = info.second_records;
  out["unknown_records"] = info.unknown_records;
  out["late_records"] = info.late_records;
  const std::uint64_t switches = info.switches();
  out["switches"] = switches;
  if (switches != 0) {
    out["bytes_per_switch"] = static_cast<double>(info.bytes) / static_cast<double>(switches);
  }
  out["lost"] = lost_json(info);
  json clocks = {{"readings", info.clock_pairs}};
  if (info.clock_first) {
    clocks["error_max_ns"] = info.clock_error_ns;
    clocks["first"] = clock_json(*info.clock_first);
    clocks["last"] = clock_json(*info.clock_last);
  }
  out["clocks"] = std::move(clocks);
  out["machine"] = machine_json(info.machine);
  out["chunks"] = chunks_json(info);
  out["kinds"] = kinds_json(info);
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace schedscope::report
