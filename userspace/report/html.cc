// SPDX-License-Identifier: GPL-2.0-only
#include "report/html.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "report/embed.h"
#include "report/json.h"
#include "report/out_file.h"
#include "report/page.h"

namespace schedscope::report {
namespace {

// Stands once in the bundled page, where the data goes.
constexpr std::string_view marker = "<!--schedscope:data-->";

std::string data_block(std::string_view id, std::string_view json) {
  return fmt::format("<script type=\"application/json\" id=\"{}\">{}</script>\n", id,
                     script_safe(json));
}

}  // namespace

Result<std::string> html_report(const analysis::Report& report, const Pictures& pictures,
                                std::string_view lab_json) {
  const std::string_view page = page_template();
  const std::size_t at = page.find(marker);
  if (at == std::string_view::npos) {
    return fail("write the page", "this schedscope was built without it",
                "install npm and run make again");
  }
  if (!lab_json.empty() && !nlohmann::json::accept(lab_json)) {
    return fail("write the page", "the lab's results are not JSON", "", Exit::input);
  }
  const auto lanes = pictures_json(pictures);
  if (!lanes) return std::unexpected(lanes.error());
  std::string out(page.substr(0, at));
  out += data_block("report", json_report(report, page_segments));
  out += data_block("pictures", *lanes);
  if (!lab_json.empty()) out += data_block("lab", lab_json);
  out += page.substr(at + marker.size());
  return out;
}

Result<void> write_html(const std::filesystem::path& path, const analysis::Report& report,
                        const Pictures& pictures, std::string_view lab_json) {
  const auto page = html_report(report, pictures, lab_json);
  if (!page) return std::unexpected(page.error());
  auto file = OutFile::create(path);
  if (!file) return std::unexpected(file.error());
  if (auto written = file->append(*page); !written) return written;
  return file->commit();
}

}  // namespace schedscope::report
