// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace schedscope::report {

// A file that appears whole or not at all: it is written beside its place and moved there by
// commit(). A device, a pipe and what a symbolic link leads to (/dev/stdout) are written to
// directly.
class OutFile {
 public:
  [[nodiscard]] static Result<OutFile> create(const std::filesystem::path& path);
  OutFile(OutFile&& other) noexcept;
  OutFile& operator=(OutFile&&) = delete;
  ~OutFile();

  // Buffered. After an error every later call fails with the same one, and so does commit().
  Result<void> append(std::string_view bytes);
  [[nodiscard]] Result<void> commit();

 private:
  OutFile(std::filesystem::path path, std::filesystem::path part, Fd file)
      : path_(std::move(path)), part_(std::move(part)), file_(std::move(file)) {}
  Result<void> flush();

  std::filesystem::path path_;
  std::filesystem::path part_;  // "" when written to directly, or committed
  Fd file_;
  std::string buffer_;
  int error_ = 0;
};

}  // namespace schedscope::report
