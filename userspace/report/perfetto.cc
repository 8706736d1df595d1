// SPDX-License-Identifier: GPL-2.0-only
#include "report/perfetto.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "capture/reader.h"
#include "report/out_file.h"
#include "report/perfetto_writer.h"
#include "timeline/timeline.h"

namespace schedscope::report {

Result<void> export_perfetto(const std::filesystem::path& capture,
                             const std::filesystem::path& out) {
  auto first = capture::Reader::open(capture);
  if (!first) return std::unexpected(first.error());
  PerfettoNames names;
  while (const auto record = first->next()) names.add(*record);

  auto reader = capture::Reader::open(capture);
  if (!reader) return std::unexpected(reader.error());
  auto file = OutFile::create(out);
  if (!file) return std::unexpected(file.error());
  Result<void> written;
  PerfettoWriter writer(reader->machine(), std::move(names), [&](std::string_view bytes) {
    if (written) written = file->append(bytes);
  });
  const std::array<timeline::Sink*, 1> sinks = {&writer};
  timeline::Timeline timeline(reader->machine().start_ns, reader->machine().cpus, sinks,
                              reader->machine().filter.empty()
                                  ? timeline::Timeline::Scope::whole_machine
                                  : timeline::Timeline::Scope::selected);
  writer.follow(&timeline);
  while (const auto record = reader->next()) {
    timeline.add(*record);
    if (!written) return written;
  }
  timeline.finish(reader->end_ns());
  writer.finish();
  if (!written) return written;
  if (auto done = file->commit(); !done) return done;
  if (reader->complete()) return {};
  return fail(fmt::format("export all of {}", capture.string()), reader->damage(),
              "what could be read was written", Exit::input);
}

}  // namespace schedscope::report
