# SPDX-License-Identifier: GPL-2.0-only
# The Debian packages that building and testing need. Documentation/dependencies.rst says why each.

PACKAGES_BUILD := g++-12 gcc-12 make pkg-config clang-19 llvm-19 bpftool libbpf-dev libelf-dev \
  zlib1g-dev libzstd-dev libfmt-dev libcli11-dev nlohmann-json3-dev libprotozero-dev \
  libboost-fiber-dev libboost-context-dev
PACKAGES_VM    := qemu-system-x86 cpio kmod libc6-dev gawk bc libelf1 pahole xz-utils zstd procps \
  mmdebstrap util-linux flex bison
PACKAGES_TEST  := libgtest-dev libclang-rt-19-dev rsync chromium libbenchmark-dev python3 python3-docutils dkms dpkg-dev
PACKAGES_CHECK := clang-tidy-19 clang-format-19 sparse shellcheck
# Only for make bench.
PACKAGES_BENCH := linux-perf trace-cmd libbpf-tools
PACKAGES       := $(PACKAGES_BUILD) $(PACKAGES_VM) $(PACKAGES_TEST) $(PACKAGES_CHECK)

.PHONY: deps
deps:
	@mk/deps $(PACKAGES)
