// SPDX-License-Identifier: GPL-2.0-only
//
// What a flight recorder does besides: it records into memory, in pieces, and writes what it has
// kept when that is wanted.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <new>
#include <system_error>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/text.h"
#include "collect/recorder.h"

namespace schedscope::collect {
namespace {

// As perf's --switch-output: the time, and a number should there be one of that time.
std::filesystem::path name_of_now(const std::filesystem::path& output) {
  const std::string name =
      fmt::format("{}.{:%Y%m%d-%H%M%S}", output.native(), fmt::localtime(std::time(nullptr)));
  std::filesystem::path path = name;
  std::error_code none;
  for (int n = 2; std::filesystem::exists(path, none); ++n) path = fmt::format("{}-{}", name, n);
  return path;
}

bool is_alive(std::uint32_t tid) {
  std::error_code none;
  return std::filesystem::exists(fmt::format("/proc/{}", tid), none);
}

}  // namespace

// That it can be written is better known before there is something to write.
Result<void> Recorder::try_flight_file() const {
  const auto file = capture::Writer::prepare(name_of_now(options_.output), machine_);
  return file ? Result<void>{} : std::unexpected(file.error());
}

// What stands already, and is not news to whoever remembers it.
void Recorder::tell_again(std::uint64_t source, RecordView record) {
  writer_->add(source, record);
  flight_->count(source, record);
}

// All that was drained belongs to the piece before. What its CPUs made since then is older than
// this piece, and yet in it: as at the start of any recording.
void Recorder::begin_piece() {
  flush(true);
  drain();  // what was made while that was compressed
  flush(true);
  const std::uint64_t now_ns = Clocks::now_ns();
  look_at_piece();
  flight_->begin_piece(now_ns, own_cpu_ns());
  standing_.tell(now_ns, is_alive,
                 [this](std::uint64_t source, RecordView record) { tell_again(source, record); });
  if (auto opened = open_recording(); !opened) warn(opened.error().message());
  flush(true);
  flight_->opened();
}

// Beside the recording: the rings must not fill meanwhile.
void Recorder::look_at_piece() {
  if (!options_.flight->look) return;
  if (looking_.valid()) {
    ++not_looked_at_;
    return;
  }
  auto recent = flight_->recent(machine_, last_drain_ns_);
  if (!recent) return not_looked(recent.error());
  try {
    looking_ = std::async(
        std::launch::async,
        [look = options_.flight->look, file = std::make_shared<Fd>(std::move(*recent)),
         to_ns = certain_ns_, stop = stop_looking_.get_token()]() -> Result<std::string> {
          try {
            return look(fmt::format("/proc/self/fd/{}", file->get()), to_ns, stop);
          } catch (const std::bad_alloc&) {
            return fail("look for findings", "there is not enough memory",
                        "give a smaller --memory");
          }
        });
  } catch (const std::system_error& error) {
    not_looked({.tried = "start a thread that looks for findings",
                .wrong = error.what(),
                .cure = "allow more threads",
                .code = error.code().value()});
  }
}

void Recorder::not_looked(const Error& error) {
  ++not_looked_at_;
  warn(error.message());
}

bool Recorder::has_found() {
  using std::chrono::seconds;
  if (!looking_.valid() || looking_.wait_for(seconds(0)) != std::future_status::ready) {
    return false;
  }
  const auto found = looking_.get();
  if (!found) {
    not_looked(found.error());
    return false;
  }
  machine_.trigger = *found;
  return !machine_.trigger.empty();
}

// A path that was first told of in a later piece's opening is in no file that begins before it.
void Recorder::tell_cgroups_again() {
  standing_.tell_cgroups(Clocks::now_ns(), [this](std::uint64_t source, RecordView record) {
    tell_again(source, record);
  });
}

// Its exit may have been seen first: the rings of the CPUs come one after the other.
void Recorder::select(std::uint32_t tid, std::uint64_t time_ns) {
  selected_.insert(tid);
  const auto exited = exited_.find(tid);
  if (exited != exited_.end() && exited->second < time_ns) exited_.erase(exited);
}

// Of one that is over there may be a last switch that was not judged yet.
void Recorder::forget_exited(std::uint64_t before_ns) {
  std::erase_if(exited_, [&](const auto& one) {
    const bool old = one.second < before_ns;
    if (old) selected_.erase(one.first);
    return old;
  });
}

bool Recorder::is_triggered(std::uint64_t certain_ns) {
  if (!trigger_) return false;
  const auto fired = trigger_->judge(certain_ns);
  if (!fired) return false;
  if (!is_all_told()) {
    trigger_->forget();
    return false;
  }
  machine_.trigger = describe(*fired);
  return true;
}

// A gap is told of when its CPU's ring has room again, and other losses not at all.
bool Recorder::is_all_told() {
  const auto stats = first().stats();
  if (!stats) {
    warn(stats.error().message());
    return false;
  }
  std::uint64_t lost = 0, untold = 0;
  for (const schedscope_cpu_stats& one : *stats) {
    lost += one.lost[SCHEDSCOPE_LOST_RING_FULL];
    untold += one.lost[SCHEDSCOPE_LOST_RECURSION] + one.lost[SCHEDSCOPE_LOST_PREEMPTED];
  }
  const bool all_told = lost <= told_lost_ && untold <= untold_lost_;
  untold_lost_ = untold;
  return all_told;
}

// A source's totals are those of the whole recording: what is not kept is none of them. But for
// what was lost without a record: when that was, nobody knows.
void Recorder::take_off(schedscope_cpu_stats& stats) {
  const bool of_cpu = stats.rec.cpu != SCHEDSCOPE_CPU_NONE;
  if (!of_cpu && (stats.rec.flags & SCHEDSCOPE_REC_SECOND) != 0) return;
  const capture::Flight::Gone gone =
      flight_->gone(of_cpu ? source_of(view_of(stats)) : capture::Writer::carrier_source);
  for (std::size_t i = 0; i < gone.lost.size(); ++i) stats.lost[i] -= gone.lost[i];
  if ((stats.rec.flags & SCHEDSCOPE_REC_SECOND) == 0) {
    for (const std::uint64_t n : gone.lost) outcome_.lost -= std::min(outcome_.lost, n);
    outcome_.ring_full -= std::min(outcome_.ring_full, gone.lost[SCHEDSCOPE_LOST_RING_FULL]);
  }
  if (of_cpu) {
    stats.produced -= gone.produced();
    stats.switches -= gone.switches;
    return;
  }
  // An opening tells again what its runtimes told once.
  const UserRings::Stats user = user_rings_->stats();
  stats.produced = stats.produced - user.produced() + flight_->told() + user.overrun +
                   user.invalid - (gone.produced() - gone.records);
}

void Recorder::finish_flight() {
  flush(true);
  const std::uint64_t recording_began_ns = outcome_.start_ns;
  machine_.start_ns = outcome_.start_ns = flight_->start_ns();
  machine_.agent_cpu_ns = own_cpu_ns() - flight_->cpu_ns();
  outcome_.trigger = machine_.trigger;
  // Nobody waits for what it would say.
  stop_looking_.request_stop();
  if (looking_.valid()) ++not_looked_at_;
  if (not_looked_at_ != 0) {
    tell(fmt::format("parts in which no findings were looked for: {}", not_looked_at_));
  }
  outcome_.file = name_of_now(options_.output);
  if (flight_->cut_short()) {
    tell(fmt::format("only the last {} fit into {}", human_ns(outcome_.end_ns - outcome_.start_ns),
                     human_bytes(options_.flight->most_bytes)));
  }
  // Of a time that is in the file; else it would be put against another one.
  if (machine_.start_ns > recording_began_ns + machine_.measured_ns) machine_.measured_ns = 0;
  const auto saved = flight_->save(outcome_.file, machine_, outcome_.end_ns);
  outcome_.records = saved ? saved->records : 0;
  outcome_.file_bytes = saved ? saved->file_bytes : 0;
  if (!saved) {
    warn(saved.error().message());
  } else if (saved->fault) {
    warn(saved->fault->message());
  }
}

}  // namespace schedscope::collect
