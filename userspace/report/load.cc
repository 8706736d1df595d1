// SPDX-License-Identifier: GPL-2.0-only
#include "report/load.h"

#include <utility>

#include "capture/reader.h"

namespace schedscope::report {

Result<analysis::Report> load(const std::filesystem::path& capture, analysis::Window window,
                              std::span<timeline::Sink* const> extra, Extent extent,
                              std::string path_of, std::stop_token stop) {
  capture::Stretch stretch;
  if (extent == Extent::window) stretch = {.from_ns = window.from_ns, .to_ns = window.to_ns};
  auto reader = capture::Reader::open(capture, stretch);
  if (!reader) return std::unexpected(reader.error());

  analysis::Analysis analysis(reader->machine(), window, extra, std::move(path_of));
  while (const auto record = reader->next()) {
    analysis.add(*record);
    if (stop.stop_requested()) break;
  }

  analysis::Report report = analysis.finish(reader->end_ns());
  report.file = capture.string();
  report.bytes = reader->file_bytes();
  report.complete = reader->complete();
  report.damage = reader->damage();
  report.late_records = reader->late_records();
  report.unknown_records = reader->unknown_records();
  return report;
}

}  // namespace schedscope::report
