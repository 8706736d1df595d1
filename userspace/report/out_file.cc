// SPDX-License-Identifier: GPL-2.0-only
#include "report/out_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

namespace schedscope::report {
namespace {

constexpr std::size_t buffer_bytes = 1 << 20;

}  // namespace

Result<OutFile> OutFile::create(const std::filesystem::path& path) {
  std::error_code ignored;
  // Not the end of a symbolic link: /dev/stdout is one, and would be gone.
  const bool whole =
      !std::filesystem::exists(path, ignored) || (std::filesystem::is_regular_file(path, ignored) &&
                                                  !std::filesystem::is_symlink(path, ignored));
  const std::filesystem::path part = whole ? path.string() + ".part" : std::string();
  const auto& target = whole ? part : path;
  Fd file(::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid()) {
    return fail_errno(fmt::format("create {}", target.string()), "name a folder you can write to");
  }
  return OutFile(path, part, std::move(file));
}

OutFile::OutFile(OutFile&& other) noexcept
    : path_(std::move(other.path_)),
      part_(std::exchange(other.part_, {})),
      file_(std::move(other.file_)),
      buffer_(std::move(other.buffer_)),
      error_(other.error_) {}

OutFile::~OutFile() {
  if (!part_.empty()) ::unlink(part_.c_str());
}

Result<void> OutFile::append(std::string_view bytes) {
  buffer_ += bytes;
  if (buffer_.size() < buffer_bytes) return {};
  return flush();
}

Result<void> OutFile::flush() {
  std::string_view rest = buffer_;
  while (error_ == 0 && !rest.empty()) {
    const ssize_t written = ::write(file_.get(), rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  buffer_.clear();
  if (error_ == 0) return {};
  return fail_errno(fmt::format("write {}", path_.string()), {}, Exit::machine, error_);
}

Result<void> OutFile::commit() {
  if (auto flushed = flush(); !flushed) return flushed;
  if (part_.empty()) return {};
  if (::rename(part_.c_str(), path_.c_str()) != 0) {
    return fail_errno(fmt::format("move the finished file to {}", path_.string()));
  }
  part_.clear();
  return {};
}

}  // namespace schedscope::report
