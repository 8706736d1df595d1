// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <span>
#include <utility>

#include "base/error.h"

namespace schedscope {

// Owns a shared memory mapping.
class Mapping {
 public:
  // Maps `bytes` of `fd` from `offset`; prot as for mmap(2).
  [[nodiscard]] static Result<Mapping> map(int fd, std::size_t bytes, int prot, off_t offset = 0) {
    void* base = ::mmap(nullptr, bytes, prot, MAP_SHARED, fd, offset);
    if (base == MAP_FAILED) return fail_errno("map shared memory");
    return Mapping(static_cast<std::byte*>(base), bytes);
  }
  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (base_ != nullptr) ::munmap(base_, bytes_);
  }

  [[nodiscard]] std::span<std::byte> bytes() const { return {base_, bytes_}; }

 private:
  Mapping(std::byte* base, std::size_t bytes) : base_(base), bytes_(bytes) {}

  std::byte* base_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace schedscope
