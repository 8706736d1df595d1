// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <memory>
#include <string_view>

#include "base/error.h"

struct btf;

namespace schedscope::collect {

// What the running kernel says of its own types.
class KernelBtf {
 public:
  // Errors: the kernel has no BTF.
  [[nodiscard]] static Result<KernelBtf> load();

  // A tracepoint that BPF can attach to.
  [[nodiscard]] bool has_tracepoint(std::string_view name) const;
  [[nodiscard]] bool has_function(std::string_view name) const;
  [[nodiscard]] bool has_field(std::string_view structure, std::string_view field) const;

 private:
  struct Free {
    void operator()(btf* btf) const;
  };
  explicit KernelBtf(btf* btf) : btf_(btf) {}
  std::unique_ptr<btf, Free> btf_;
};

}  // namespace schedscope::collect
