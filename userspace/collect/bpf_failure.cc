// SPDX-License-Identifier: GPL-2.0-only
#include "collect/bpf_failure.h"

#include <bpf/libbpf.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <utility>

namespace schedscope::collect {
namespace {

std::string last_words;

int keep_last_words(libbpf_print_level level, const char* format, va_list args) {
  if (level != LIBBPF_WARN) return 0;
  std::array<char, 512> line{};
  std::vsnprintf(line.data(), line.size(), format, args);
  last_words = line.data();
  while (!last_words.empty() && last_words.back() == '\n') last_words.pop_back();
  return 0;
}

// From the first call on: what libbpf has to say is ours to pass on.
const libbpf_print_fn_t before_us = libbpf_set_print(keep_last_words);

}  // namespace

std::unexpected<Error> bpf_failure(std::string_view tried, int code) {
  if (code == EPERM || code == EACCES) {
    return fail_errno(tried, "run as root, or with CAP_BPF and CAP_PERFMON", Exit::machine, code);
  }
  Error error =
      fail_errno(tried, "`schedscope doctor` says what this machine can do", Exit::machine, code)
          .error();
  if (!last_words.empty()) error.wrong += " (" + last_words + ")";
  return std::unexpected(std::move(error));
}

void forget_libbpf_words() {
  last_words.clear();
}

}  // namespace schedscope::collect
