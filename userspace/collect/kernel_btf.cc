// SPDX-License-Identifier: GPL-2.0-only
#include "collect/kernel_btf.h"

#include <bpf/btf.h>

#include <string>

namespace schedscope::collect {

void KernelBtf::Free::operator()(btf* btf) const {
  btf__free(btf);
}

Result<KernelBtf> KernelBtf::load() {
  btf* loaded = btf__load_vmlinux_btf();
  if (loaded == nullptr) {
    return fail("read the kernel's type information",
                "this kernel has no BTF (/sys/kernel/btf/vmlinux)",
                "boot a kernel with CONFIG_DEBUG_INFO_BTF=y, as Debian's are");
  }
  return KernelBtf(loaded);
}

bool KernelBtf::has_tracepoint(std::string_view name) const {
  const std::string type = "btf_trace_" + std::string(name);
  return btf__find_by_name_kind(btf_.get(), type.c_str(), BTF_KIND_TYPEDEF) > 0;
}

bool KernelBtf::has_function(std::string_view name) const {
  return btf__find_by_name_kind(btf_.get(), std::string(name).c_str(), BTF_KIND_FUNC) > 0;
}

bool KernelBtf::has_field(std::string_view structure, std::string_view field) const {
  const int id =
      btf__find_by_name_kind(btf_.get(), std::string(structure).c_str(), BTF_KIND_STRUCT);
  if (id <= 0) return false;
  const btf_type* type = btf__type_by_id(btf_.get(), static_cast<__u32>(id));
  const btf_member* member = btf_members(type);
  for (int i = 0; i < btf_vlen(type); ++i, ++member) {
    const char* name = btf__name_by_offset(btf_.get(), member->name_off);
    if (name != nullptr && field == name) return true;
  }
  return false;
}

}  // namespace schedscope::collect
