// SPDX-License-Identifier: GPL-2.0-only
#include "collect/user_rings.h"

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "capture/writer.h"

namespace schedscope::collect {
namespace {

// Threads that carry user threads, alive at once; what is beyond is counted as refused.
constexpr std::size_t rings_max = 4096;
// A walk through /proc because an announcement may be missing, at most this often.
constexpr std::uint64_t scan_every_ns = 1'000'000'000;

std::optional<std::uint32_t> to_number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The numeric names in a folder of /proc. Processes end while one looks: no error.
std::vector<std::uint32_t> numbers_in(const std::string& folder) {
  std::vector<std::uint32_t> found;
  DIR* dir = ::opendir(folder.c_str());
  if (dir == nullptr) return found;
  while (const dirent* entry = ::readdir(dir)) {
    if (const auto number = to_number(entry->d_name)) found.push_back(*number);
  }
  ::closedir(dir);
  return found;
}

// A thread's number in its innermost namespace: the last one of "NSpid:" in its status.
std::optional<std::uint32_t> inner_number(const std::string& folder) {
  const auto status = read_text(folder + "/status");
  if (!status) return std::nullopt;
  const std::size_t at = status->find("\nNSpid:");
  if (at == std::string::npos) return std::nullopt;
  const std::string line = status->substr(at + 1, status->find('\n', at + 1) - at - 1);
  return to_number(std::string_view(line).substr(line.find_last_of(" \t") + 1));
}

// Whether `tid` is, or may have been, a thread of `pid`.
bool may_belong(std::uint32_t pid, std::uint32_t tid) {
  std::error_code error;
  const std::filesystem::path task = fmt::format("/proc/{}/task/{}", pid, tid);
  return std::filesystem::exists(task, error) ||
         !std::filesystem::exists(fmt::format("/proc/{}", tid), error);
}

// Whose ring it is, in our numbers; nothing when it is not of this process: a child of fork
// holds its parent's descriptors, and not everybody tells the truth.
std::optional<Carrier> identify(std::uint32_t pid, Carrier claimed) {
  if (claimed.pid == pid) {
    if (!may_belong(pid, claimed.tid)) return std::nullopt;
    return Carrier{.pid = pid, .tid = claimed.tid};
  }
  const std::string folder = fmt::format("/proc/{}", pid);
  if (inner_number(folder) != claimed.pid) return std::nullopt;
  for (const std::uint32_t tid : numbers_in(folder + "/task")) {
    if (inner_number(fmt::format("{}/task/{}", folder, tid)) == claimed.tid) {
      return Carrier{.pid = pid, .tid = tid};
    }
  }
  return std::nullopt;
}

sockaddr_un address(socklen_t& length) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path + 1, SCHEDSCOPE_UTHREAD_FILE, sizeof(SCHEDSCOPE_UTHREAD_FILE) - 1);
  length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + sizeof(SCHEDSCOPE_UTHREAD_FILE));
  return name;
}

}  // namespace

Result<UserRings> UserRings::create(Filter wanted) {
  UserRings rings;
  rings.wanted_ = std::move(wanted);
  rings.began_ = Clocks::stamp();
  rings.queue_length_ =
      static_cast<std::uint64_t>(read_number("/proc/sys/net/unix/max_dgram_qlen").value_or(10));
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return fail_errno("make the socket that runtimes announce themselves to");
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
    return fail_errno("ask for the senders of announcements");
  }
  socklen_t length = 0;
  const sockaddr_un name = address(length);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), length) == 0) {
    rings.socket_ = std::move(socket);
  } else {
    rings.warning_ = fmt::format(
        "user threads of carriers that start during the recording: another recorder listens for "
        "them ({})",
        std::strerror(errno));
  }
  return rings;
}

bool UserRings::is_over(const Process& process) {
  if (!process.pid_fd.valid()) return true;
  pollfd event{.fd = process.pid_fd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&event, 1, 0) == 1;
}

void UserRings::take_up(Fd fd, std::uint32_t pid, bool announced) {
  if (wanted_ && !wanted_(pid)) return;
  struct stat st{};
  if (::fstat(fd.get(), &st) != 0) return;
  const FileId file{st.st_dev, st.st_ino};
  if (files_.contains(file)) return;
  auto ring = UserRing::open(fd.get(), capture::Writer::carrier_source + next_source_);
  const auto carrier = ring ? identify(pid, ring->claimed()) : std::nullopt;
  // A ring that a child has from its parent is found with the parent, too.
  if (ring && !carrier && !announced) return;
  if (!carrier || rings_.size() >= rings_max) {
    ++gone_.refused;
    return;
  }
  ring->identify(*carrier);
  Process& process = processes_[pid];
  if (process.rings++ == 0 || is_over(process)) {  // over: its number was given out again
    process.pid_fd = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  }
  const bool had_history = ring->created() < began_;
  if (had_history) ring->skip_history(process.standing, Clocks::now_ns());
  rings_.push_back({.ring = std::move(*ring), .file = file, .had_history = had_history});
  files_.insert(file);
  ++next_source_;
  ++gone_.rings;
}

void UserRings::receive_from(const msghdr& message) {
  std::uint32_t pid = 0;
  std::vector<Fd> files;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(const_cast<msghdr*>(&message), part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(part), sizeof(sender));
      pid = static_cast<std::uint32_t>(sender.pid);
    } else if (part->cmsg_type == SCM_RIGHTS) {
      const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; i++) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
        files.emplace_back(fd);
      }
    }
  }
  if (files.size() == 1 && pid != 0) {
    take_up(std::move(files[0]), pid, true);
  } else {
    ++gone_.refused;
  }
}

void UserRings::receive() {
  if (!socket_.valid()) return;
  std::uint64_t received = 0;
  while (received < rings_max) {
    std::uint64_t body = 0;
    iovec part{.iov_base = &body, .iov_len = sizeof(body)};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(4 * sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    if (::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0) break;
    ++received;
    receive_from(message);
  }
  if (received >= queue_length_) scan_wanted_ = true;
}

void UserRings::scan_process(std::uint32_t pid) {
  if (wanted_ && !wanted_(pid)) return;
  static constexpr std::string_view sought = "/memfd:" SCHEDSCOPE_UTHREAD_FILE " ";
  const std::string folder = fmt::format("/proc/{}/fd", pid);
  Fd process;
  for (const std::uint32_t number : numbers_in(folder)) {
    char link[64];
    const ssize_t length =
        ::readlink(fmt::format("{}/{}", folder, number).c_str(), link, sizeof(link));
    if (length < 0 || !std::string_view(link, static_cast<std::size_t>(length)).starts_with(sought))
      continue;
    // Duplicated, not opened by its path: that could be anything by now, and opening acts.
    if (!process.valid()) process = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process.valid()) return;
    Fd fd(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), number, 0)));
    if (fd.valid()) take_up(std::move(fd), pid, false);
  }
}

void UserRings::scan_all() {
  scan_wanted_ = false;
  scanned_ns_ = Clocks::now_ns();
  for (const std::uint32_t pid : numbers_in("/proc")) scan_process(pid);
}

void UserRings::discover() {
  receive();
  scan_all();
}

// What was told before recording began, as if it were told when the ring was found.
void UserRings::give_standing(const Take& take) {
  for (Entry& entry : rings_) {
    if (!std::exchange(entry.had_history, false)) continue;
    UserRing& ring = entry.ring;
    const std::uint64_t then_ns = ring.last_ns();
    ring.give_carrier(take, then_ns);
    for (auto& [id, one] : processes_[ring.carrier().pid].standing) {
      if (one.source != ring.source() || one.kind == SCHEDSCOPE_UTHREAD_END) continue;
      if (!one.name.empty()) ring.give_name(take, SCHEDSCOPE_REC_USER_NAME, id, one.name, then_ns);
      const bool parked = one.kind == SCHEDSCOPE_UTHREAD_PARK;
      ring.give(take, parked ? SCHEDSCOPE_REC_USER_PARK : SCHEDSCOPE_REC_USER_READY, id, then_ns);
    }
    ring.give(take, SCHEDSCOPE_REC_USER_SWITCH, ring.current(), then_ns);
  }
  for (auto& [pid, process] : processes_) process.standing.clear();
}

void UserRings::drain(Clocks& clocks, const Take& take) {
  receive();
  if (scan_wanted_ && Clocks::now_ns() - scanned_ns_ >= scan_every_ns) scan_all();
  // In this order: what a thread wrote before its end is in the ring when its end is seen, and
  // the clocks are read after the last record that is taken.
  std::set<std::uint32_t> over;
  for (const auto& [pid, process] : processes_) {
    if (is_over(process)) over.insert(pid);
  }
  std::vector<bool> closed;
  for (Entry& entry : rings_) {
    closed.push_back(entry.ring.closed() || over.contains(entry.ring.carrier().pid));
    entry.ring.look();
  }
  clocks.mark();
  give_standing(take);
  std::size_t index = 0;
  for (auto at = rings_.begin(); at != rings_.end(); ++index) {
    at->ring.drain(clocks, take);
    if (!closed[index]) {
      ++at;
      continue;
    }
    const UserRing::Counts& counts = at->ring.counts();
    gone_.kept += counts.kept;
    gone_.overrun += counts.overrun;
    gone_.invalid += counts.invalid;
    const auto process = processes_.find(at->ring.carrier().pid);
    if (process != processes_.end() && --process->second.rings == 0) processes_.erase(process);
    files_.erase(at->file);
    at = rings_.erase(at);
  }
}

UserRings::Stats UserRings::stats() const {
  Stats stats = gone_;
  for (const Entry& entry : rings_) {
    stats.kept += entry.ring.counts().kept;
    stats.overrun += entry.ring.counts().overrun;
    stats.invalid += entry.ring.counts().invalid;
  }
  return stats;
}

}  // namespace schedscope::collect
