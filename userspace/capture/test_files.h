// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "capture/reader.h"
#include "capture/writer.h"
#include "schema/record.h"

// What the tests of this folder share.
namespace schedscope::capture::test {

// A directory that goes away with its contents.
class Directory {
 public:
  Directory() {
    std::string name = std::filesystem::temp_directory_path() / "schedscope-test-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

inline std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void spit(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), std::ssize(bytes));
}

inline Machine machine_of(std::string_view kernel) {
  Machine machine;
  machine.kernel = kernel;
  return machine;
}

// The bytes of a record: equal exactly when the records are.
inline std::string bytes_of(RecordView record) {
  return {reinterpret_cast<const char*>(record.bytes().data()), record.bytes().size()};
}

struct Contents {
  std::vector<std::string> records;
  bool complete = false;
  std::string damage;
  std::uint64_t end_ns = 0;
  std::uint64_t late = 0;
  std::uint64_t unknown = 0;
};

inline Contents read_all(Reader& reader) {
  Contents contents;
  while (const auto record = reader.next()) contents.records.push_back(bytes_of(*record));
  contents.complete = reader.complete();
  contents.damage = reader.damage();
  contents.end_ns = reader.end_ns();
  contents.late = reader.late_records();
  contents.unknown = reader.unknown_records();
  return contents;
}

inline schedscope_waking waking(std::uint64_t time_ns, std::uint16_t cpu, std::uint32_t tid) {
  auto record = make_record<schedscope_waking>(SCHEDSCOPE_REC_WAKING, time_ns, cpu);
  record.tid = tid;
  return record;
}

// A record of `kind` whose bytes behind the header all come from `fill`.
inline std::vector<std::uint64_t> filled(std::uint16_t kind, std::uint64_t time_ns,
                                         std::uint16_t cpu, std::uint16_t flags,
                                         std::uint64_t fill) {
  std::vector<std::uint64_t> words(record_bytes(kind) / sizeof(std::uint64_t), fill);
  auto& header = *reinterpret_cast<schedscope_rec*>(words.data());
  header = {.time_ns = time_ns,
            .kind = kind,
            .size = static_cast<std::uint16_t>(record_bytes(kind)),
            .cpu = cpu,
            .flags = flags};
  return words;
}

inline RecordView view(const std::vector<std::uint64_t>& words) {
  return RecordView(reinterpret_cast<const schedscope_rec*>(words.data()));
}

}  // namespace schedscope::capture::test
