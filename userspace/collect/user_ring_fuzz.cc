// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <span>

#include "base/fd.h"
#include "collect/user_ring.h"

// Any bytes as a ring that a process wrote: {the head's low bits u16, whether history is skipped
// u8, header bytes u8, header…, records…}, drained in two steps, the head moving in between.
namespace {

using namespace schedscope;
using namespace schedscope::collect;

constexpr std::uint64_t capacity = SCHEDSCOPE_UTHREAD_MIN_RECORDS;
constexpr std::size_t ring_bytes =
    SCHEDSCOPE_UTHREAD_HEADER_BYTES + capacity * sizeof(schedscope_uthread_record);

void take(std::uint64_t source, RecordView record) {
  if (source != 1 || record.header().size != record_bytes(record.kind())) std::abort();
  if (record.kind() != SCHEDSCOPE_REC_LOST) return;
  const auto& lost = record.as<schedscope_lost>();
  if (lost.count == 0 || lost.begin_ns > lost.end_ns) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::span<const std::uint8_t> bytes(data, size);
  if (bytes.size() < 4) return 0;
  const std::uint64_t head = bytes[0] + 256U * bytes[1];
  const bool skip = bytes[2] % 2 != 0;
  const std::size_t header_bytes = std::min<std::size_t>(bytes[3], bytes.size() - 4);
  bytes = bytes.subspan(4);

  const Fd fd(::memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (::ftruncate(fd.get(), ring_bytes) != 0) std::abort();
  auto memory = Mapping::map(fd.get(), ring_bytes, PROT_READ | PROT_WRITE);
  if (!memory) std::abort();
  auto& header = *reinterpret_cast<schedscope_uthread_header*>(memory->bytes().data());
  header.magic = SCHEDSCOPE_UTHREAD_MAGIC;
  header.version = SCHEDSCOPE_UTHREAD_VERSION;
  header.header_bytes = SCHEDSCOPE_UTHREAD_HEADER_BYTES;
  header.record_bytes = sizeof(schedscope_uthread_record);
  header.capacity = capacity;
  header.clock = SCHEDSCOPE_UTHREAD_CLOCK_HERE_;
  header.created = Clocks::stamp();
  header.head = head;
  // Over all of that, as far as the input likes.
  std::memcpy(&header, bytes.data(), std::min(header_bytes, sizeof(header)));
  bytes = bytes.subspan(header_bytes);
  std::memcpy(memory->bytes().data() + SCHEDSCOPE_UTHREAD_HEADER_BYTES, bytes.data(),
              std::min<std::size_t>(bytes.size(), capacity * sizeof(schedscope_uthread_record)));
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) std::abort();

  auto ring = UserRing::open(fd.get(), 1);
  if (!ring) return 0;
  Clocks clocks;
  if (skip) {
    std::map<std::uint64_t, UserStanding> standing;
    ring->skip_history(standing, Clocks::now_ns());
  }
  for (int round = 0; round < 2; ++round) {
    ring->look();
    clocks.mark();
    ring->drain(clocks, take);
    header.head += head;
  }
  return 0;
}
