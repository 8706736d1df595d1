// SPDX-License-Identifier: GPL-2.0-only
#include "capture/chunk_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "uapi/schedscope.h"

namespace schedscope::capture {
namespace {

constexpr std::string_view give_capture = "give a file that `schedscope record` wrote";

std::unexpected<Error> refuse(const std::filesystem::path& path, std::string_view wrong,
                              std::string_view cure = give_capture) {
  return fail(fmt::format("read the capture {}", path.string()), wrong, cure, Exit::input);
}

constexpr std::string_view take_its_maker = "read it with the schedscope that made it";

struct Refusal {
  std::string wrong;
  std::string_view cure = give_capture;
};

// Why a file that begins with these bytes is not read; nothing when it is.
std::optional<Refusal> refusal(const FileHeader& header, std::size_t bytes) {
  const auto* end = std::begin(header.magic) + std::min(bytes, sizeof(header.magic));
  if (!std::equal(header.magic.data(), end, file_magic.data())) {
    return Refusal{"it is not a schedscope capture"};
  }
  if (bytes < sizeof(header)) return Refusal{"it was cut off before its first record"};
  if (header.format > format_version) {
    return Refusal{fmt::format("it has format {}, and this program knows up to {}", header.format,
                               format_version),
                   take_its_maker};
  }
  if (header.crc != header_checksum(header)) return Refusal{"its first bytes are damaged"};
  if (header.schema > SCHEDSCOPE_SCHEMA_VERSION) {
    return Refusal{fmt::format("its records have schema {}, and this program knows up to {}",
                               header.schema, SCHEDSCOPE_SCHEMA_VERSION),
                   take_its_maker};
  }
  return std::nullopt;
}

}  // namespace

Result<ChunkFile> ChunkFile::open(const std::filesystem::path& path) {
  // Non-blocking, so that a pipe is refused rather than waited for.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd.valid()) {
    return fail_errno(fmt::format("read the capture {}", path.string()), give_capture, Exit::input);
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) {
    return fail_errno(fmt::format("read the capture {}", path.string()), {}, Exit::input);
  }
  if (S_ISDIR(status.st_mode)) return refuse(path, "it is a directory");
  if (!S_ISREG(status.st_mode)) return refuse(path, "it is not a regular file");
  if (status.st_size == 0) return refuse(path, "it is empty");

  ChunkFile file(std::move(fd), static_cast<std::uint64_t>(status.st_size));
  FileHeader& header = file.file_header_;
  const std::size_t bytes = std::min<std::size_t>(file.bytes_, sizeof(header));
  if (!file.read_at(0, std::as_writable_bytes(std::span(&header, 1)).first(bytes))) {
    return fail_errno(fmt::format("read the capture {}", path.string()), {}, Exit::input);
  }
  if (const auto refused = refusal(header, bytes)) {
    return refuse(path, refused->wrong, refused->cure);
  }
  return file;
}

bool ChunkFile::read_at(std::uint64_t offset, std::span<std::byte> to) const {
  while (!to.empty()) {
    const ssize_t got = ::pread(fd_.get(), to.data(), to.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = EIO;  // it was longer a moment ago
    if (got <= 0) return false;
    to = to.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return true;
}

std::string ChunkFile::damaged(std::string_view how) const {
  return fmt::format("chunk {} at byte {} {}; it and what follows was not read", place_.sequence,
                     place_.offset, how);
}

std::expected<std::optional<ChunkHeader>, std::string> ChunkFile::header() {
  if (place_.offset == bytes_) return std::nullopt;
  std::array<std::byte, sizeof(ChunkHeader)> bytes;
  if (bytes_ - place_.offset < bytes.size()) return std::unexpected(damaged("is cut off"));
  if (!read_at(place_.offset, bytes)) return std::unexpected(damaged("cannot be read"));
  const auto header = parse_chunk_header(bytes);
  if (!header || header->sequence != place_.sequence) {
    return std::unexpected(damaged("has a damaged header"));
  }
  if (header->stored_bytes > bytes_ - place_.offset - bytes.size()) {
    return std::unexpected(damaged("is cut off"));
  }
  return header;
}

std::expected<std::span<const std::byte>, std::string> ChunkFile::payload(
    const ChunkHeader& header) {
  const bool text = header.type == static_cast<std::uint16_t>(ChunkType::schema) ||
                    header.type == static_cast<std::uint16_t>(ChunkType::machine);
  if (header.stored_bytes > limit::payload_bytes ||
      header.raw_bytes > (text ? limit::text_bytes : limit::payload_bytes)) {
    return std::unexpected(damaged("is larger than a chunk may be"));
  }
  stored_.resize(header.stored_bytes);
  if (!read_at(place_.offset + sizeof(ChunkHeader), stored_)) {
    return std::unexpected(damaged("cannot be read"));
  }
  if (checksum(stored_) != header.payload_crc) {
    return std::unexpected(damaged("does not match its checksum"));
  }
  if (stored_.empty()) {
    skip(header);
    return std::span<const std::byte>();
  }
  const auto raw = decompressor_.decompress(stored_, header.raw_bytes);
  if (!raw) return std::unexpected(damaged("cannot be unpacked"));
  skip(header);
  return *raw;
}

void ChunkFile::skip(const ChunkHeader& header) {
  place_.offset += sizeof(ChunkHeader) + header.stored_bytes;
  ++place_.sequence;
}

}  // namespace schedscope::capture
