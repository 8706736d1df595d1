// SPDX-License-Identifier: GPL-2.0-only
#include "collect/standing.h"

#include "capture/writer.h"

namespace schedscope::collect {

void Standing::see(std::uint64_t source, RecordView record) {
  if (record.second()) return;
  switch (record.kind()) {
    case SCHEDSCOPE_REC_TASK:
      return see_task(record.as<schedscope_task>());
    case SCHEDSCOPE_REC_NAMESPACE: {
      const auto& ns = record.as<schedscope_namespace>();
      if (const auto of = bystanders_.find(ns.tid); of != bystanders_.end()) of->second.ns = ns;
      return;
    }
    case SCHEDSCOPE_REC_CGROUP: {
      const auto& part = record.as<schedscope_cgroup>();
      cgroups_[{part.cgroup_id, part.at}] = part;
      return;
    }
    case SCHEDSCOPE_REC_USER_SWITCH:
    case SCHEDSCOPE_REC_USER_READY:
    case SCHEDSCOPE_REC_USER_PARK:
    case SCHEDSCOPE_REC_USER_END:
      return see_user(carriers_[source], source, record.as<schedscope_user>());
    case SCHEDSCOPE_REC_LOST:
      return lose(source);
    case SCHEDSCOPE_REC_USER_NAME:
    case SCHEDSCOPE_REC_USER_CARRIER:
      return see_name(carriers_[source], source, record.as<schedscope_user_name>());
    default:
      return;
  }
}

// The recorded ones are told by each walk.
void Standing::see_task(const schedscope_task& record) {
  if ((record.rec.flags & SCHEDSCOPE_TASK_BYSTANDER) == 0) {
    bystanders_.erase(record.tid);
    return;
  }
  bystanders_[record.tid] = {.task = record, .ns = {}};
}

void Standing::see_user(Carrier& carrier, std::uint64_t source, const schedscope_user& record) {
  carrier.last_ns = record.rec.time_ns;
  carrier.tid = record.tid;
  carrier.pid = record.pid;
  if (record.rec.kind == SCHEDSCOPE_REC_USER_SWITCH) {
    carrier.known = true;
    carrier.current = record.id;
  }
  if (record.id == 0) return;
  if (record.rec.kind == SCHEDSCOPE_REC_USER_END) {
    users_.erase({record.pid, record.id});
    return;
  }
  UserThread& user = users_[{record.pid, record.id}];
  user.source = source;
  user.known = true;
  user.parked = record.rec.kind == SCHEDSCOPE_REC_USER_PARK;
}

// A gap is not bridged: what a carrier's user threads do is told again by their next records.
void Standing::lose(std::uint64_t source) {
  const auto carrier = carriers_.find(source);
  if (carrier == carriers_.end()) return;
  carrier->second.known = false;
  for (auto& [key, user] : users_) {
    if (user.source == source) user.known = false;
  }
}

void Standing::see_name(Carrier& carrier, std::uint64_t source,
                        const schedscope_user_name& record) {
  carrier.last_ns = record.rec.time_ns;
  carrier.tid = record.tid;
  carrier.pid = record.pid;
  if (record.rec.kind == SCHEDSCOPE_REC_USER_CARRIER) {
    carrier.name = record;
    return;
  }
  if (record.id == 0) return;
  UserThread& user = users_[{record.pid, record.id}];
  user.source = source;
  user.name = record;
}

void Standing::forget_the_dead(const IsAlive& is_alive) {
  std::erase_if(bystanders_, [&](const auto& entry) { return !is_alive(entry.first); });
  std::erase_if(carriers_, [&](const auto& entry) { return !is_alive(entry.second.tid); });
  std::erase_if(users_, [&](const auto& entry) { return !is_alive(entry.first.first); });
  // Whose carrier is over is told of by another one of its process.
  std::map<std::uint32_t, std::uint64_t> others;
  for (const auto& [source, carrier] : carriers_) others[carrier.pid] = source;
  for (auto& [key, user] : users_) {
    const auto other = others.find(key.first);
    if (!carriers_.contains(user.source) && other != others.end()) user.source = other->second;
  }
}

void Standing::tell_carrier(std::uint64_t source, const Carrier& carrier, const Take& take) const {
  const auto tell_user = [&](std::uint16_t kind, std::uint64_t id) {
    auto record = make_record<schedscope_user>(kind, carrier.last_ns);
    record.tid = carrier.tid;
    record.pid = carrier.pid;
    record.id = id;
    take(source, view_of(record));
  };
  const auto tell_name = [&](schedscope_user_name record) {
    if (record.rec.kind == 0) return;
    record.rec.time_ns = carrier.last_ns;
    take(source, view_of(record));
  };
  tell_name(carrier.name);
  for (auto at = users_.lower_bound({carrier.pid, 0});
       at != users_.end() && at->first.first == carrier.pid; ++at) {
    const UserThread& user = at->second;
    if (user.source != source) continue;
    tell_name(user.name);
    if (!user.known) continue;
    tell_user(user.parked ? SCHEDSCOPE_REC_USER_PARK : SCHEDSCOPE_REC_USER_READY, at->first.second);
  }
  if (carrier.known) tell_user(SCHEDSCOPE_REC_USER_SWITCH, carrier.current);
}

void Standing::tell_cgroups(std::uint64_t now_ns, const Take& take) const {
  for (const auto& [key, part] : cgroups_) {
    schedscope_cgroup record = part;
    record.rec.time_ns = now_ns;
    take(capture::Writer::agent_source, view_of(record));
  }
}

void Standing::tell(std::uint64_t now_ns, const IsAlive& is_alive, const Take& take) {
  constexpr std::uint64_t agent = capture::Writer::agent_source;
  forget_the_dead(is_alive);
  tell_cgroups(now_ns, take);
  // Not a CPU's record, here: its ring has no part in it.
  for (const auto& [tid, bystander] : bystanders_) {
    schedscope_task task = bystander.task;
    task.rec.time_ns = now_ns;
    task.rec.cpu = SCHEDSCOPE_CPU_NONE;
    task.rec.flags &= static_cast<std::uint16_t>(~SCHEDSCOPE_TASK_MOVED);
    take(agent, view_of(task));
    if (bystander.ns.rec.kind == 0) continue;
    schedscope_namespace ns = bystander.ns;
    ns.rec.time_ns = now_ns;
    ns.rec.cpu = SCHEDSCOPE_CPU_NONE;
    take(agent, view_of(ns));
  }
  for (const auto& [source, carrier] : carriers_) tell_carrier(source, carrier, take);
}

}  // namespace schedscope::collect
