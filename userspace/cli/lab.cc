// SPDX-License-Identifier: GPL-2.0-only
#include "lab/lab.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/output.h"
#include "cli/verbs.h"

namespace schedscope::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::vector<std::string> ids;
  std::string directory;
  bool json = false;
};

// A folder of our own that goes when we do: for who wants verdicts and no captures.
class TemporaryDirectory {
 public:
  static Result<TemporaryDirectory> create() {
    std::string path = fs::temp_directory_path() / "schedscope-lab-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return fail_errno("make a folder in " + path);
    return TemporaryDirectory(std::move(path));
  }
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory() {
    std::error_code gone;
    if (!path_.empty()) fs::remove_all(path_, gone);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  explicit TemporaryDirectory(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

Result<Exit> run_lab(const Arguments& arguments) {
  if (!arguments.directory.empty()) {
    std::error_code error;
    fs::create_directories(arguments.directory, error);
    if (error) return fail_errno("make " + arguments.directory, "", Exit::machine, error.value());
    return lab::run(arguments.ids, arguments.directory, arguments.json);
  }
  const auto directory = TemporaryDirectory::create();
  if (!directory) return std::unexpected(directory.error());
  return lab::run(arguments.ids, directory->path(), arguments.json);
}

Result<Exit> list_lab() {
  std::string text;
  for (const lab::Experiment* experiment : lab::experiments()) {
    text += fmt::format("{:<24} {}\n", experiment->id, experiment->claim);
  }
  if (auto printed = print_result(text); !printed) return std::unexpected(printed.error());
  return Exit::done;
}

}  // namespace

void add_lab(CLI::App& app, Run& run) {
  CLI::App* verb = app.add_subcommand("lab", "Test what is said about threads, on this machine");
  verb->require_subcommand(1);
  CLI::App* list = verb->add_subcommand("list", "The claims");
  list->callback([&run] { run = list_lab; });

  CLI::App* trial = verb->add_subcommand("run", "Run experiments and say which claims hold");
  auto arguments = std::make_shared<Arguments>();
  trial->add_option("id", arguments->ids, "Claims to test; none: all");
  trial->add_option("-o,--output", arguments->directory, "A folder for the captures and lab.json");
  trial->add_flag("--json", arguments->json, "As JSON");
  trial->callback([&run, arguments] { run = [arguments] { return run_lab(*arguments); }; });

  // What `lab run` records: the experiment's workload, in a process of its own.
  CLI::App* workload = app.add_subcommand(lab::workload_verb);
  workload->group("");
  auto id = std::make_shared<std::string>();
  workload->add_option("id", *id)->required();
  workload->callback([&run, id] {
    run = [id]() -> Result<Exit> { return static_cast<Exit>(lab::run_workload(*id)); };
  });
}

}  // namespace schedscope::cli
