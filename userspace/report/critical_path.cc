// SPDX-License-Identifier: GPL-2.0-only
#include "report/critical_path.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/json.h"
#include "report/ink.h"
#include "report/names.h"
#include "report/story.h"
#include "report/table.h"

namespace schedscope::report {
namespace {

using analysis::CriticalPath;
using analysis::PathSegment;
using analysis::PathThread;
using analysis::WakerKind;
using json = nlohmann::ordered_json;
using timeline::State;

struct Who {
  std::uint32_t tid;
  std::string label;
};

// Threads that are not selected are on a path, too, though not in the report.
class Names {
 public:
  Names(const analysis::Report& report, const CriticalPath& path) {
    for (const auto& row : report.threads) {
      names_.emplace(row.who.index, Who{row.who.tid, label(row.who)});
    }
    for (const PathThread& row : path.threads) {
      names_.emplace(row.thread,
                     Who{row.tid, label(analysis::Peer{.tid = row.tid, .comm = row.comm})});
    }
  }
  [[nodiscard]] const Who& operator[](timeline::ThreadIndex thread) const {
    static const Who nobody{0, "unknown"};
    const auto found = names_.find(thread);
    return found == names_.end() ? nobody : found->second;
  }

 private:
  std::unordered_map<timeline::ThreadIndex, Who> names_;
};

bool asleep(State state) {
  return state == State::sleep || state == State::block;
}

std::uint64_t length(const PathSegment& segment) {
  return segment.end_ns - segment.begin_ns;
}

// The `most` longest, in the order of time.
std::vector<std::size_t> longest(const std::vector<PathSegment>& all, std::size_t most) {
  std::vector<std::size_t> chosen(all.size());
  std::iota(chosen.begin(), chosen.end(), 0U);
  if (most >= all.size()) return chosen;
  std::sort(chosen.begin(), chosen.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(length(all[a]), b) > std::pair(length(all[b]), a);
  });
  chosen.resize(most);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

class PathText {
 public:
  PathText(const analysis::Report& report, const CriticalPath& path, const TextOptions& options)
      : report_(report), path_(path), options_(options), names_(report, path) {}

  std::string make() {
    tell();
    threads();
    waited_behind();
    segments();
    return std::move(out_);
  }

 private:
  void sentence(std::string_view code, const std::string& text) {
    out_ += ink_.painted(code, wrapped(text, std::max<std::size_t>(options_.width, 24), 0)) + "\n";
  }
  [[nodiscard]] std::size_t limit(std::size_t all) const {
    return options_.top == 0 ? all : std::min(options_.top, all);
  }
  [[nodiscard]] std::string since_start(std::uint64_t at_ns) const {
    return "+" + human_ns(at_ns - report_.start_ns);
  }
  static std::string time(std::uint64_t ns) { return ns == 0 ? "" : human_ns(ns); }

  void tell() {
    const std::uint64_t all = path_.to_ns - path_.from_ns;
    out_ +=
        ink_.painted("1", fmt::format("Critical path of {}", names_[path_.thread].label)) + "\n";
    sentence("0", fmt::format("What its {} from {} to {} of the reported span depended on: {}.",
                              human_ns(all), since_start(path_.from_ns), since_start(path_.to_ns),
                              plural(path_.threads.size(), "thread")));
    const std::size_t pieces = path_.segments.size() + path_.segments_left_out;
    sentence(path_.adds_up ? "0" : "1;31",
             fmt::format("{} in {} {}: {} ns.", path_.adds_up ? "Adds up" : "DOES NOT ADD UP",
                         grouped(pieces), pieces == 1 ? "segment" : "segments", grouped(all)));
    for (const Paragraph& paragraph : story(report_)) {
      if (paragraph.bad) sentence("1;31", paragraph.heading + ": " + paragraph.text);
    }
  }

  void threads() {
    out_ += ink_.heading("Whose time it was");
    Table table({{"thread", false, 99},
                 {"time", true, 98},
                 {"share", true, 9},
                 {"ran", true, 8},
                 {"waited", true, 8},
                 {"timer", true, 7},
                 {"interrupt", true, 7},
                 {"slept", true, 7},
                 {"blocked", true, 7},
                 {"unknown", true, 7}});
    const std::size_t shown = limit(path_.threads.size());
    std::uint64_t rest = 0;
    for (std::size_t i = 0; i < path_.threads.size(); ++i) {
      if (i < shown) {
        table.row(thread_row(path_.threads[i]));
      } else {
        rest += path_.threads[i].ns;
      }
    }
    out_ += table.text(options_.width, options_.color);
    more(path_.threads.size() - shown, rest, "thread");
  }

  [[nodiscard]] std::vector<std::string> thread_row(const PathThread& row) const {
    const auto in = [&](State state) { return row.state_ns[static_cast<std::size_t>(state)]; };
    const auto by = [&](WakerKind cause) { return row.sleep_ns[static_cast<std::size_t>(cause)]; };
    return {names_[row.thread].label,
            human_ns(row.ns),
            percent(static_cast<double>(row.ns), static_cast<double>(path_.to_ns - path_.from_ns)),
            time(in(State::run)),
            time(in(State::wait)),
            time(by(WakerKind::timer)),
            time(by(WakerKind::interrupt)),
            time(by(WakerKind::unknown)),
            time(in(State::block)),
            time(in(State::unknown))};
  }

  void waited_behind() {
    if (path_.waited_behind.empty() && path_.waited_behind_unknown_ns == 0) return;
    out_ += ink_.heading("Whom the path waited behind");
    Table table({{"thread", false, 9}, {"for", true, 9}});
    const std::size_t shown = limit(path_.waited_behind.size());
    std::uint64_t rest = 0;
    for (std::size_t i = 0; i < path_.waited_behind.size(); ++i) {
      const auto& peer = path_.waited_behind[i];
      if (i < shown) {
        table.row({label(peer), human_ns(peer.ns)});
      } else {
        rest += peer.ns;
      }
    }
    if (path_.waited_behind_unknown_ns != 0) {
      table.row({"unknown", human_ns(path_.waited_behind_unknown_ns)});
    }
    out_ += table.text(options_.width, options_.color);
    more(path_.waited_behind.size() - shown, rest, "thread");
  }

  void segments() {
    const auto& all = path_.segments;
    const std::size_t shown = limit(all.size());
    const std::size_t rest = all.size() - shown + path_.segments_left_out;
    out_ += ink_.heading(
        rest == 0 ? std::string("Segments")
                  : fmt::format("The {}, in the order of time", plural(shown, "longest segment")));
    Table table({{"at", true, 99}, {"for", true, 98}, {"thread", false, 97}, {"", false, 96}});
    std::uint64_t rest_ns = path_.to_ns - path_.from_ns;
    for (const std::size_t i : longest(all, shown)) {
      const PathSegment& segment = all[i];
      rest_ns -= length(segment);
      const std::string indent(std::min<std::size_t>(segment.depth, 8), ' ');
      table.row({since_start(segment.begin_ns), human_ns(length(segment)),
                 indent + names_[segment.thread].label, what(segment)});
    }
    out_ += table.text(options_.width, options_.color);
    more(rest, rest_ns, "segment");
  }

  [[nodiscard]] std::string what(const PathSegment& segment) const {
    const std::string_view state = name_of(segment.state);
    if (asleep(segment.state)) {
      if (segment.cause == WakerKind::unknown) return fmt::format("{}, unknown what for", state);
      return fmt::format("{}, ended by {} {}", state,
                         segment.cause == WakerKind::timer ? "the" : "an", name_of(segment.cause));
    }
    if (segment.state == State::run) return fmt::format("{} on CPU {}", state, segment.cpu);
    if (segment.state != State::wait) return std::string(state);
    std::string text(state);
    if (segment.cpu != SCHEDSCOPE_CPU_NONE) text += fmt::format(" for CPU {}", segment.cpu);
    if (segment.behind_ns == 0) return text + ", unknown behind whom";
    const std::string behind = human_ns(segment.behind_ns);
    if (segment.behind == timeline::no_index) return text + fmt::format(", {} of it idle", behind);
    return text + fmt::format(", {} of it behind {}", behind, names_[segment.behind].label);
  }

  void more(std::size_t count, std::uint64_t ns, std::string_view what) {
    if (count == 0) return;
    const bool kept = path_.segments_left_out == 0 || what != "segment";
    out_ += ink_.painted("2", fmt::format("  … and {}, {} together; --top 0 shows {}\n",
                                          plural(count, fmt::format("more {}", what)), human_ns(ns),
                                          kept ? "all" : "the longest million"));
  }

  const analysis::Report& report_;
  const CriticalPath& path_;
  const TextOptions& options_;
  Ink ink_{options_.color};
  Names names_;
  std::string out_;
};

json thread_json(const PathThread& row) {
  json out = {{"index", row.thread}, {"tid", row.tid}};
  if (!row.comm.empty()) out["comm"] = printable(row.comm);
  out["ns"] = row.ns;
  for (std::size_t i = 0; i < timeline::state_count; ++i) {
    out[fmt::format("{}_ns", name_of(static_cast<State>(i)))] = row.state_ns[i];
  }
  json causes = json::object();
  for (const WakerKind cause : {WakerKind::timer, WakerKind::interrupt, WakerKind::unknown}) {
    causes[std::string(name_of(cause))] = row.sleep_ns[static_cast<std::size_t>(cause)];
  }
  out["sleep_by"] = std::move(causes);
  return out;
}

json segment_json(const PathSegment& segment, const Names& names) {
  json out = {{"begin_ns", segment.begin_ns},    {"end_ns", segment.end_ns},
              {"index", segment.thread},         {"tid", names[segment.thread].tid},
              {"state", name_of(segment.state)}, {"depth", segment.depth}};
  if (asleep(segment.state)) out["cause"] = name_of(segment.cause);
  if (segment.cpu != SCHEDSCOPE_CPU_NONE) out["cpu"] = segment.cpu;
  if (segment.behind_ns == 0) return out;
  // tid 0 is the idle CPU.
  out["behind"] = {{"tid", 0}, {"ns", segment.behind_ns}};
  if (segment.behind != timeline::no_index) {
    out["behind"]["tid"] = names[segment.behind].tid;
    out["behind"]["index"] = segment.behind;
  }
  return out;
}

}  // namespace

std::string critical_path_text(const analysis::Report& report, const CriticalPath& path,
                               const TextOptions& options) {
  return PathText(report, path, options).make();
}

json critical_path_json(const analysis::Report& report, const CriticalPath& path,
                        std::size_t most) {
  const Names names(report, path);
  json out = {{"index", path.thread},
              {"tid", names[path.thread].tid},
              {"from_ns", path.from_ns},
              {"to_ns", path.to_ns},
              {"adds_up", path.adds_up}};
  out["threads"] = json::array();
  for (const PathThread& row : path.threads) out["threads"].push_back(thread_json(row));
  out["waited_behind"] = peers_json(path.waited_behind);
  out["waited_behind_unknown_ns"] = path.waited_behind_unknown_ns;
  const std::vector<std::size_t> kept = longest(path.segments, most);
  std::uint64_t left_out_ns = path.left_out_ns;
  for (const PathSegment& segment : path.segments) left_out_ns += length(segment);
  out["segments"] = json::array();
  for (const std::size_t i : kept) {
    left_out_ns -= length(path.segments[i]);
    out["segments"].push_back(segment_json(path.segments[i], names));
  }
  out["segments_left_out"] = path.segments_left_out + path.segments.size() - kept.size();
  out["left_out_ns"] = left_out_ns;
  return out;
}

}  // namespace schedscope::report
