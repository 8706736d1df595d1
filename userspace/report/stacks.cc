// SPDX-License-Identifier: GPL-2.0-only
#include "report/stacks.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/demangle.h"
#include "base/text.h"
#include "report/names.h"
#include "report/table.h"

namespace schedscope::report {
namespace {

using analysis::Sleeps;
using analysis::StackReport;
using json = nlohmann::ordered_json;

constexpr std::size_t short_frames = 3;

struct Cause {
  std::string_view key, words;
  const Sleeps* sleeps;
};

std::array<Cause, 5> causes_of(const analysis::MissingStacks& missing) {
  return {{{"unreadable", "could not be walked", &missing.unreadable},
           {"gone", "the program was gone before its map could be read", &missing.gone},
           {"no_room", "more different ones than the recorder keeps", &missing.no_room},
           {"untold", "the capture ends before their frames", &missing.untold},
           {"unread", "their frames are in a part that --quick does not read", &missing.unread}}};
}

std::string_view why_missing(const StackReport& stacks, std::uint32_t number) {
  switch (number) {
    case SCHEDSCOPE_STACK_GONE:
      return "gone";
    case SCHEDSCOPE_STACK_NO_ROOM:
      return "no_room";
    default:
      if (number > SCHEDSCOPE_STACK_LAST) return "unreadable";
      return stacks.in_part ? "unread" : "untold";
  }
}

json sleeps_json(const Sleeps& sleeps) {
  return {{"count", sleeps.count}, {"ns", sleeps.ns}};
}

void put_stack(json& out, const char* key, const StackReport& stacks, const StackIndex& index,
               std::uint32_t number) {
  if (number == SCHEDSCOPE_STACK_NONE) return;
  if (const auto found = index.find(number); found != index.end()) {
    out[key] = found->second;
  } else {
    out[std::string(key) + "_missing"] = why_missing(stacks, number);
  }
}

// The ways into the scheduler, which each sleep goes.
bool is_way_in(std::string_view symbol) {
  return symbol.starts_with("__schedule") || symbol.starts_with("schedule") ||
         symbol.starts_with("io_schedule") || symbol == "preempt_schedule";
}

// Cut to so many columns; a byte is none of them when it goes on with a character.
std::string shortened(std::string text, std::size_t width) {
  if (display_width(text) <= width) return text;
  while (!text.empty() && display_width(text) >= width) {
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) {
      text.pop_back();
    }
    if (!text.empty()) text.pop_back();
  }
  return text + "…";
}

std::string joined(std::span<const std::string> labels) {
  const bool cut = labels.size() > short_frames;
  return fmt::format("{}{}", fmt::join(labels.first(std::min(labels.size(), short_frames)), " < "),
                     cut ? " < …" : "");
}

std::vector<std::string> without_way_in(std::vector<std::string> labels) {
  const auto first = std::ranges::find_if_not(labels, is_way_in);
  if (first != labels.end()) labels.erase(labels.begin(), first);
  return labels;
}

// "sleeps_here < outer < main", of a thread of the kernel "worker_thread [k] < kthread [k]".
std::string place_of(const StackReport& stacks, const analysis::OffCpuStack& row,
                     std::size_t width) {
  if (row.others) return "(others)";
  std::vector<std::string> labels = frame_labels(stacks, row.stacks.user);
  if (stacks.find(row.stacks.user) == nullptr) {
    labels = without_way_in(frame_labels(stacks, row.stacks.kernel));
    for (std::string& name : labels) name += " [k]";
  }
  return shortened(joined(labels), width);
}

}  // namespace

std::string label(const analysis::Frame& frame) {
  if (!frame.symbol.empty()) return printable(demangled(frame.symbol));
  if (!frame.in_file) return fmt::format("{:#x}", frame.where);
  const std::string_view file(frame.file);
  const std::size_t slash = file.rfind('/');
  return fmt::format("{}+{:#x}", printable(slash + 1 < file.size() ? file.substr(slash + 1) : file),
                     frame.where);
}

std::vector<std::string> frame_labels(const StackReport& stacks, std::uint32_t number) {
  if (number == SCHEDSCOPE_STACK_NONE) return {};
  const auto* frames = stacks.find(number);
  if (frames == nullptr) return {fmt::format("unknown ({})", why_missing(stacks, number))};
  std::vector<std::string> labels;
  for (const std::uint32_t frame : *frames) labels.push_back(label(stacks.frames[frame]));
  return labels;
}

StackIndex stack_index(const analysis::Report& report) {
  StackIndex index;
  if (!report.stacks) return index;
  for (const auto& thread : report.threads) {
    for (const auto& row : thread.off_cpu_stacks) {
      for (const std::uint32_t number : {row.stacks.kernel, row.stacks.user}) {
        if (report.stacks->find(number) != nullptr) index.emplace(number, 0);
      }
    }
  }
  std::size_t next = 0;
  for (auto& [number, at] : index) at = next++;
  return index;
}

json off_cpu_stacks_json(const StackReport& stacks, const StackIndex& index,
                         const std::vector<analysis::OffCpuStack>& rows) {
  json out = json::array();
  for (const auto& row : rows) {
    json one = json::object();
    if (row.others) {
      one["others"] = true;
    } else {
      put_stack(one, "user", stacks, index, row.stacks.user);
      put_stack(one, "kernel", stacks, index, row.stacks.kernel);
    }
    one["count"] = row.count;
    one["ns"] = row.ns;
    one["max_ns"] = row.max_ns;
    out.push_back(std::move(one));
  }
  return out;
}

json stacks_json(const StackReport& stacks, const StackIndex& index) {
  json out = {{"different", stacks.stacks.size()},
              {"sleeps", sleeps_json(stacks.with)},
              {"sleeps_without",
               {{"before", sleeps_json(stacks.before)}, {"lost", sleeps_json(stacks.lost)}}}};
  for (const auto& [key, missing] :
       {std::pair{"kernel_missing", &stacks.kernel}, std::pair{"user_missing", &stacks.user}}) {
    out[key] = json::object();
    for (const Cause& cause : causes_of(*missing)) {
      out[key][std::string(cause.key)] = sleeps_json(*cause.sleeps);
    }
  }
  std::unordered_map<std::uint32_t, std::size_t> frame_index;
  out["frames"] = out["stacks"] = json::array();
  for (const auto& [number, at] : index) {
    json frames = json::array();
    for (const std::uint32_t frame : *stacks.find(number)) {
      const auto [known, is_new] = frame_index.try_emplace(frame, frame_index.size());
      if (is_new) out["frames"].push_back(label(stacks.frames[frame]));
      frames.push_back(known->second);
    }
    out["stacks"].push_back(std::move(frames));
  }
  return out;
}

std::string stack_words(const StackReport& stacks) {
  const std::uint64_t all = stacks.with.count + stacks.before.count + stacks.lost.count;
  std::string text =
      fmt::format("{} of {} have stacks, {} different ones.", grouped(stacks.with.count),
                  plural(all, "sleep"), grouped(stacks.stacks.size()));
  const auto tell = [&](const Sleeps& sleeps, std::string_view what, std::string_view why) {
    if (sleeps.count == 0) return;
    text += fmt::format(
        " {} ({}) {}: {}.", plural(sleeps.count, "sleep"), human_ns(sleeps.ns),
        sleeps.count == 1 ? fmt::format("has {}", what) : fmt::format("have {}", what), why);
  };
  tell(stacks.before, "none", "begun before what is reported");
  tell(stacks.lost, "none", "their record is missing");
  for (const Cause& cause : causes_of(stacks.kernel)) {
    tell(*cause.sleeps, "no kernel stack", cause.words);
  }
  for (const Cause& cause : causes_of(stacks.user)) {
    tell(*cause.sleeps, "no user stack", cause.words);
  }
  return text;
}

std::string slept_at_text(const analysis::Report& report, const TextOptions& options) {
  if (!report.stacks) return "";
  const StackReport& stacks = *report.stacks;
  struct Place {
    const analysis::ThreadReport* thread;
    const analysis::OffCpuStack* row;
  };
  std::vector<Place> places;
  for (const auto& thread : report.threads) {
    for (const auto& row : thread.off_cpu_stacks) places.push_back({&thread, &row});
  }
  // By time; where that is the same, as the threads come.
  std::ranges::sort(places, [](const Place& a, const Place& b) {
    return std::tuple(b.row->ns, a.thread, a.row) < std::tuple(a.row->ns, b.thread, b.row);
  });
  // The other columns take no more than this.
  const std::size_t room = std::max<std::size_t>(options.width, 84) - 60;
  Table table({{"thread", false, 9},
               {"in", false, 8},
               {"sleeps", true, 6},
               {"time", true, 9},
               {"longest", true, 4}});
  const std::size_t shown = options.top == 0 ? places.size() : std::min(options.top, places.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& [thread, row] = places[i];
    table.row({label(thread->who), place_of(stacks, *row, room), grouped(row->count),
               human_ns(row->ns), human_ns(row->max_ns)});
  }
  std::string out = table.text(options.width, options.color);
  if (shown < places.size()) {
    out += fmt::format("  … and {} more; --top 0 shows all\n", grouped(places.size() - shown));
  }
  return out + "  " + wrapped(stack_words(stacks), options.width - 2, 2) + "\n";
}

std::string slept_at_text(const StackReport& stacks, const analysis::ThreadReport& thread,
                          const TextOptions& options) {
  std::string out;
  const auto& rows = thread.off_cpu_stacks;
  const std::size_t shown = options.top == 0 ? rows.size() : std::min(options.top, rows.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const analysis::OffCpuStack& row = rows[i];
    out += fmt::format("  off the CPU {} in {}, the longest {}{}\n", human_ns(row.ns),
                       plural(row.count, "sleep"), human_ns(row.max_ns),
                       row.others ? ", elsewhere" : ":");
    if (row.others) continue;
    for (const auto& name : frame_labels(stacks, row.stacks.kernel)) {
      out += fmt::format("      {} [k]\n", name);
    }
    for (const auto& name : frame_labels(stacks, row.stacks.user)) {
      out += fmt::format("      {}\n", name);
    }
  }
  if (shown < rows.size()) {
    out += fmt::format("  … and {} more; --top 0 shows all\n", grouped(rows.size() - shown));
  }
  return out + "\n";
}

}  // namespace schedscope::report
