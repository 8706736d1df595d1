// SPDX-License-Identifier: GPL-2.0-only
#include "collect/user_ring.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace schedscope::collect {
namespace {

// Records copied out at a time: 1 MiB.
constexpr std::uint64_t copy_records = 65536;
// Counters of two CPUs, and the line between two clock readings, may differ by this much.
constexpr std::uint64_t tolerance_ns = 1'000'000;
constexpr std::uint64_t no_time = UINT64_MAX;
// User threads whose standing is kept from before recording began.
constexpr std::size_t standings_max = 1'000'000;

constexpr const char* opening = "open a user-thread ring";

std::unexpected<Error> refuse(std::string_view wrong) {
  return fail(opening, wrong, {}, Exit::input);
}

}  // namespace

Result<UserRing> UserRing::open(int fd, std::uint64_t source) {
  // First of all what no file but a memfd answers: nothing else is touched.
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0) return refuse("the descriptor is no memory file");
  constexpr int cannot_be_cut = F_SEAL_SHRINK | F_SEAL_GROW;
  if ((seals & cannot_be_cut) != cannot_be_cut) return refuse("its size is not sealed");
  struct statfs fs{};
  // Huge pages of a file may be missing when they are touched: SIGBUS.
  if (::fstatfs(fd, &fs) != 0 || fs.f_type != TMPFS_MAGIC) return refuse("it has huge pages");
  struct stat st{};
  if (::fstat(fd, &st) != 0) return fail_errno(opening);
  constexpr std::uint64_t header_bytes = SCHEDSCOPE_UTHREAD_HEADER_BYTES;
  const auto bytes = static_cast<std::uint64_t>(st.st_size);
  const std::uint64_t capacity = (bytes - header_bytes) / sizeof(Record);
  if (bytes < header_bytes || !std::has_single_bit(capacity) ||
      capacity > SCHEDSCOPE_UTHREAD_MAX_RECORDS ||
      bytes != header_bytes + capacity * sizeof(Record)) {
    return refuse("it has not the size of a ring");
  }
  auto mapping = Mapping::map(fd, bytes, PROT_READ);
  if (!mapping) return std::unexpected(mapping.error());
  UserRing ring(std::move(*mapping), static_cast<std::uint32_t>(capacity), source);
  const schedscope_uthread_header& header = ring.header();
  if (header.magic != SCHEDSCOPE_UTHREAD_MAGIC) return refuse("it is no ring");
  if (header.version != SCHEDSCOPE_UTHREAD_VERSION) return refuse("it has another version");
  if (header.header_bytes != header_bytes || header.record_bytes != sizeof(Record) ||
      header.capacity != capacity || header.clock != SCHEDSCOPE_UTHREAD_CLOCK_HERE_) {
    return refuse("its header contradicts itself");
  }
  return ring;
}

std::span<const schedscope_uthread_record> UserRing::copy(std::uint64_t end, std::uint64_t& lost) {
  const std::uint64_t before = __atomic_load_n(&header().head, __ATOMIC_ACQUIRE);
  const std::uint64_t oldest = before > capacity_ ? before - capacity_ : 0;
  // Clamped: a head that ran away shows nothing that is in the ring.
  std::uint64_t from = std::clamp(oldest, tail_, end);
  const std::uint64_t to = std::min(end, from + copy_records);
  copy_.resize(to - from);
  const auto* records =
      reinterpret_cast<const Record*>(mapping_.bytes().data() + SCHEDSCOPE_UTHREAD_HEADER_BYTES);
  for (std::uint64_t n = from; n < to; n++) {
    const Record& record = records[n & (capacity_ - 1)];
    copy_[n - from] = {.stamp = __atomic_load_n(&record.stamp, __ATOMIC_RELAXED),
                       .word = __atomic_load_n(&record.word, __ATOMIC_RELAXED)};
  }
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  const std::uint64_t after = __atomic_load_n(&header().head, __ATOMIC_RELAXED);
  // The writer may be at work on record `after`, in the place of `after - capacity`.
  const std::uint64_t whole = after >= capacity_ ? after - capacity_ + 1 : 0;
  const std::uint64_t first = std::clamp(whole, from, to);
  lost += first - tail_;
  tail_ = to;
  return std::span(copy_).subspan(first - from);
}

std::uint64_t UserRing::place(std::uint64_t stamp, const Clocks& clocks) const {
  if (stamp > clocks.marked_stamp()) {
    const bool near = clocks.to_ns(stamp) - clocks.marked_ns() < tolerance_ns;
    return near ? clocks.marked_ns() : no_time;
  }
  // Against the stamp before, not against what was given last: a gap is told to end when the clocks
  // were read, and what comes after it may have been stamped long before that.
  const std::uint64_t ns = clocks.to_ns(stamp);
  return ns + tolerance_ns < stamped_ns_ ? no_time : ns;
}

bool UserRing::add_name_part(const Record& record) {
  const std::uint64_t part = (record.word & 0xff) - SCHEDSCOPE_UTHREAD_NAME;
  const std::uint64_t id = record.word >> 8;
  if (part == 0) {
    name_.clear();
    name_id_ = id;
    name_parts_ = 0;
  }
  if (part != name_parts_ || id != name_id_ || id == 0) {
    name_parts_ = 0;
    ++invalid_;
    return false;
  }
  char bytes[sizeof(record.stamp)];
  std::memcpy(bytes, &record.stamp, sizeof(bytes));
  const std::size_t length = ::strnlen(bytes, sizeof(bytes));
  name_.append(bytes, length);
  const bool last = length < sizeof(bytes) || part + 1 == SCHEDSCOPE_UTHREAD_NAME_PARTS;
  name_parts_ = last ? 0 : part + 1;
  return last;
}

void UserRing::decode(const Record& record, const Clocks& clocks, const Take& take) {
  const std::uint64_t kind = record.word & 0xff, id = record.word >> 8;
  if (kind >= SCHEDSCOPE_UTHREAD_NAME &&
      kind < SCHEDSCOPE_UTHREAD_NAME + SCHEDSCOPE_UTHREAD_NAME_PARTS) {
    if (add_name_part(record)) give_name(take, SCHEDSCOPE_REC_USER_NAME, id, name_, last_ns_);
    return;
  }
  static constexpr std::uint16_t kinds[] = {0, SCHEDSCOPE_REC_USER_SWITCH,
                                            SCHEDSCOPE_REC_USER_READY, SCHEDSCOPE_REC_USER_PARK,
                                            SCHEDSCOPE_REC_USER_END};
  const bool known = kind >= SCHEDSCOPE_UTHREAD_SWITCH && kind <= SCHEDSCOPE_UTHREAD_END;
  // Only a switch goes to the runtime itself.
  const bool sound = known && (id != 0 || kind == SCHEDSCOPE_UTHREAD_SWITCH);
  const std::uint64_t time_ns = sound ? place(record.stamp, clocks) : no_time;
  if (time_ns == no_time) {
    ++invalid_;
    return;
  }
  stamped_ns_ = std::max(stamped_ns_, time_ns);
  give(take, kinds[kind], id, std::max(time_ns, last_ns_));
}

void UserRing::drain(const Clocks& clocks, const Take& take) {
  const std::uint64_t created_ns = std::min(clocks.to_ns(created()), clocks.marked_ns());
  if (last_ns_ == 0) last_ns_ = created_ns;
  if (stamped_ns_ == 0) stamped_ns_ = created_ns;
  give_carrier(take, last_ns_);
  if (seen_ < tail_) {  // no writer of ours goes back; the new start is all that is left to trust
    tail_ = seen_;
    ++invalid_;
  }
  while (tail_ < seen_) {
    std::uint64_t lost = 0;
    auto records = copy(seen_, lost);
    if (lost != 0) {
      // What a gap has cut off from a name's beginning is lost with it.
      name_parts_ = 0;
      while (!records.empty() && (records[0].word & 0xff) > SCHEDSCOPE_UTHREAD_NAME) {
        ++lost;
        records = records.subspan(1);
      }
      std::uint64_t end_ns = clocks.marked_ns();
      for (const Record& record : records) {
        if ((record.word & 0xff) >= SCHEDSCOPE_UTHREAD_NAME) continue;
        if (const auto ns = place(record.stamp, clocks); ns != no_time) end_ns = ns;
        break;
      }
      give_lost(take, SCHEDSCOPE_LOST_OVERRUN, lost, last_ns_, end_ns);
      counts_.overrun += lost;
    }
    for (const Record& record : records) decode(record, clocks, take);
  }
  if (invalid_ != 0) {
    give_lost(take, SCHEDSCOPE_LOST_INVALID, invalid_, last_ns_, clocks.marked_ns());
    counts_.invalid += invalid_;
    invalid_ = 0;
  }
}

void UserRing::skip_history(std::map<std::uint64_t, UserStanding>& standing, std::uint64_t now_ns) {
  look();
  while (tail_ < seen_) {
    std::uint64_t lost = 0;
    for (const Record& record : copy(seen_, lost)) {
      const std::uint64_t kind = record.word & 0xff, id = record.word >> 8;
      if (standing.size() >= standings_max && !standing.contains(id)) continue;
      if (kind >= SCHEDSCOPE_UTHREAD_NAME) {
        if (kind < SCHEDSCOPE_UTHREAD_NAME + SCHEDSCOPE_UTHREAD_NAME_PARTS && add_name_part(record))
          standing[id].name = name_;
        continue;
      }
      if (kind == SCHEDSCOPE_UTHREAD_SWITCH) current_ = id;
      if (id == 0 || kind == 0 || kind > SCHEDSCOPE_UTHREAD_END) continue;
      UserStanding& one = standing[id];
      if (record.stamp < one.stamp) continue;
      one.stamp = record.stamp;
      one.kind = kind;
      one.source = source_;
    }
  }
  invalid_ = 0;
  last_ns_ = now_ns;
}

void UserRing::give(const Take& take, std::uint16_t kind, std::uint64_t id, std::uint64_t time_ns) {
  auto record = make_record<schedscope_user>(kind, time_ns);
  record.tid = carrier_.tid;
  record.pid = carrier_.pid;
  record.id = id;
  last_ns_ = time_ns;
  ++counts_.kept;
  take(source_, view_of(record));
}

void UserRing::give_name(const Take& take, std::uint16_t kind, std::uint64_t id,
                         std::string_view name, std::uint64_t time_ns) {
  auto record = make_record<schedscope_user_name>(kind, time_ns);
  record.tid = carrier_.tid;
  record.pid = carrier_.pid;
  record.id = id;
  std::memcpy(record.name, name.data(), std::min(name.size(), sizeof(record.name) - 1));
  ++counts_.kept;
  take(source_, view_of(record));
}

void UserRing::give_carrier(const Take& take, std::uint64_t time_ns) {
  const std::uint32_t seq = __atomic_load_n(&header().carrier_seq, __ATOMIC_ACQUIRE);
  if (seq == carrier_seq_ || seq % 2 != 0) return;
  char runtime[SCHEDSCOPE_UTHREAD_RUNTIME_LEN];
  std::memcpy(runtime, header().runtime, sizeof(runtime));
  const std::uint64_t queue = header().run_queue;
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  if (__atomic_load_n(&header().carrier_seq, __ATOMIC_RELAXED) != seq) return;  // next time
  carrier_seq_ = seq;
  give_name(take, SCHEDSCOPE_REC_USER_CARRIER, queue != 0 ? queue : carrier_.tid,
            {runtime, ::strnlen(runtime, sizeof(runtime))}, time_ns);
}

void UserRing::give_lost(const Take& take, std::uint32_t cause, std::uint64_t count,
                         std::uint64_t begin_ns, std::uint64_t end_ns) {
  end_ns = std::max(begin_ns, end_ns);
  auto record = make_record<schedscope_lost>(SCHEDSCOPE_REC_LOST, end_ns);
  record.count = count;
  record.begin_ns = begin_ns;
  record.end_ns = end_ns;
  record.cause = cause;
  record.tid = carrier_.tid;
  last_ns_ = end_ns;
  take(source_, view_of(record));
}

}  // namespace schedscope::collect
