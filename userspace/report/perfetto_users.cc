// SPDX-License-Identifier: GPL-2.0-only
// The user threads of a Perfetto trace: a track each, below the one of their process.
#include <fmt/format.h>
#include <protozero/pbf_writer.hpp>

#include "base/text.h"
#include "report/names.h"
#include "report/perfetto_fields.h"
#include "report/perfetto_writer.h"

namespace schedscope::report {
namespace {

using namespace perfetto;
using protozero::pbf_writer;

constexpr std::uint32_t user_sequence = 1;

// Tracks live in one space of 64-bit numbers: SplitMix64's mixing keeps them apart.
std::uint64_t mixed(std::uint64_t number) {
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9ULL;
  number = (number ^ (number >> 27)) * 0x94d049bb133111ebULL;
  return (number ^ (number >> 31)) | 1;
}
std::uint64_t process_uuid(std::uint32_t pid) {
  return mixed(0x70726f6300000000ULL + pid);
}
std::uint64_t user_uuid(timeline::UserIndex index) {
  return mixed(0x7573657200000000ULL + index);
}

}  // namespace

// The sequence flags tell the reader that these packets need none that came before.
void PerfettoWriter::user_packet(std::string_view fields) {
  std::string body(fields);
  pbf_writer writer(body);
  writer.add_uint32(packet_trusted_sequence_id, user_sequence);
  if (!user_packets_begun_) {
    writer.add_uint32(packet_sequence_flags, sequence_incremental_state_cleared);
  }
  if (user_packets_dropped_) writer.add_bool(packet_previous_dropped, true);
  user_packets_begun_ = true;
  user_packets_dropped_ = false;
  packet(body);
}

void PerfettoWriter::process_track(std::uint32_t pid) {
  if (!processes_with_track_.insert(pid).second) return;
  std::string body;
  {
    pbf_writer writer(body);
    pbf_writer track(writer, packet_track_descriptor);
    track.add_uint64(track_uuid, process_uuid(pid));
    pbf_writer process(track, track_process);
    process.add_int32(track_process_pid, static_cast<std::int32_t>(pid));
    const auto& name = who(pid).comm;
    if (!name.empty()) process.add_string(track_process_name, name);
  }
  user_packet(body);
}

void PerfettoWriter::user_track(const timeline::UserThread& user) {
  if (user.index >= users_with_track_.size()) users_with_track_.resize(user.index + 1U);
  if (users_with_track_[user.index]) return;
  users_with_track_[user.index] = true;
  process_track(user.pid);
  const std::string kind = user.runtime.empty() ? "user thread" : printable(user.runtime);
  std::string body;
  {
    pbf_writer writer(body);
    pbf_writer track(writer, packet_track_descriptor);
    track.add_uint64(track_uuid, user_uuid(user.index));
    track.add_uint64(track_parent_uuid, process_uuid(user.pid));
    track.add_string(track_name, fmt::format("{} ({})", label(user), kind));
  }
  user_packet(body);
}

void PerfettoWriter::user_span(const timeline::UserSpan& span) {
  if (timeline_ == nullptr || span.user >= timeline_->user_threads().size()) return;
  if (span.end_ns <= span.begin_ns) return;
  user_track(timeline_->user_threads()[span.user]);
  std::string begin;
  {
    pbf_writer event(begin);
    if (span.carrier < timeline_->threads().size()) {
      pbf_writer note(event, event_debug_annotations);
      note.add_string(annotation_name, "carrier");
      note.add_string(annotation_string, label(timeline_->threads()[span.carrier]));
    }
    event.add_enum(event_type, type_slice_begin);
    event.add_uint64(event_track_uuid, user_uuid(span.user));
    event.add_string(event_categories, "user_thread");
    const auto name = name_of(span.state);
    event.add_string(event_name, name.data(), name.size());
  }
  user_event(span.begin_ns, begin);
  std::string end;
  {
    pbf_writer event(end);
    event.add_enum(event_type, type_slice_end);
    event.add_uint64(event_track_uuid, user_uuid(span.user));
  }
  user_event(span.end_ns, end);
}

void PerfettoWriter::user_event(std::uint64_t time_ns, std::string_view event) {
  std::string body;
  pbf_writer writer(body);
  writer.add_uint64(packet_timestamp, boot(time_ns));
  writer.add_message(packet_track_event, event.data(), event.size());
  user_packet(body);
}

}  // namespace schedscope::report
