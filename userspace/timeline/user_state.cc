// SPDX-License-Identifier: GPL-2.0-only
//
// Where each user thread's time goes.
#include <algorithm>

#include "timeline/user_threads.h"

namespace schedscope::timeline {
namespace {

constexpr std::array<UserState, 4> while_current = {UserState::running, UserState::preempted,
                                                    UserState::blocking, UserState::unknown};
constexpr std::array<UserState, 3> while_ready = {UserState::queued, UserState::hostage,
                                                  UserState::unknown};

}  // namespace

void UserTimeline::process_entry(const Entry& entry, std::uint64_t t) {
  const std::uint32_t queue = carriers_[entry.carrier].queue;
  switch (entry.what) {
    case What::carrier:
      set_carrier(entry.carrier, entry.state, t);
      return;
    case What::gone:
      remove_carrier(entry.carrier, t);
      return;
    case What::move:
      move_carrier(entry.carrier, entry.to, t);
      return;
    case What::gap:
      lose_queue(queue, t);
      return;
    case What::run:
      run(entry.carrier, entry.to, t);
      return;
    default:
      break;
  }
  User& user = users_[entry.to];
  if (user.place == Place::over) return;
  if (entry.what == What::end) {
    leave(entry.to, t);
    user.place = Place::over;
    threads_[entry.to].gone_ns = t;
    threads_[entry.to].ended = true;
    return;
  }
  const bool ready = entry.what == What::ready;
  if (user.place == Place::current) {
    user.ready_next = ready;  // what it is told to be next holds once it is switched away
    return;
  }
  const Place place = ready ? Place::ready : Place::parked;
  if (user.place == place && user.queue == queue) return;
  leave(entry.to, t);
  enter(entry.to, place, queue, no_index, t);
}

void UserTimeline::run(std::uint32_t carrier, UserIndex user, std::uint64_t t) {
  if (user != no_index && users_[user].place != Place::over) {
    ++threads_[user].switches;
    for (Sink* sink : sinks_) sink->user_switch(user, t);
    if (carriers_[carrier].current == user) return;
    step_off(carrier, t);
    leave(user, t);
    enter(user, Place::current, carriers_[carrier].queue, carrier, t);
    return;
  }
  step_off(carrier, t);
}

void UserTimeline::step_off(std::uint32_t carrier, std::uint64_t t) {
  const UserIndex user = carriers_[carrier].current;
  if (user == no_index) return;
  leave(user, t);
  enter(user, users_[user].ready_next ? Place::ready : Place::parked, carriers_[carrier].queue,
        no_index, t);
}

void UserTimeline::set_carrier(std::uint32_t index, State state, std::uint64_t t) {
  Carrier& carrier = carriers_[index];
  Queue& queue = queues_[carrier.queue];
  if (carrier.current != no_index) {
    emit(carrier.current, while_current[carrier.state], t);
  }
  advance(carrier, t);
  const bool was_on = carrier.joined && carrier.state == on_cpu;
  if (carrier.joined) --queue.in_state[carrier.state];
  carrier.joined = true;
  carrier.kernel_state = state;
  switch (state) {
    case State::run:
      carrier.state = on_cpu;
      break;
    case State::wait:
      carrier.state = runnable;
      break;
    case State::unknown:
      carrier.state = not_known;
      break;
    default:
      carrier.state = asleep;
      break;
  }
  ++queue.in_state[carrier.state];
  if (was_on && carrier.state != on_cpu) queue.last_off = index;
  update_queue(carrier.queue, t);
}

void UserTimeline::remove_carrier(std::uint32_t index, std::uint64_t t) {
  const UserIndex user = carriers_[index].current;
  if (user != no_index) {
    // Its runtime did not say what became of it.
    leave(user, t);
    enter(user, Place::lost, carriers_[index].queue, no_index, t);
  }
  Carrier& carrier = carriers_[index];
  advance(carrier, t);
  if (carrier.joined) --queues_[carrier.queue].in_state[carrier.state];
  carrier.joined = false;
  carrier.state = not_known;
  update_queue(carrier.queue, t);
}

void UserTimeline::move_carrier(std::uint32_t index, std::uint32_t to, std::uint64_t t) {
  Carrier& carrier = carriers_[index];
  const std::uint32_t from = carrier.queue;
  if (from == to) return;
  carrier.queue = to;
  if (carrier.current != no_index) users_[carrier.current].queue = to;
  if (!carrier.joined) return;
  --queues_[from].in_state[carrier.state];
  ++queues_[to].in_state[carrier.state];
  update_queue(from, t);
  update_queue(to, t);
}

void UserTimeline::update_queue(std::uint32_t index, std::uint64_t t) {
  Queue& queue = queues_[index];
  QueueState state = unclear;
  if (queue.in_state[on_cpu] != 0) {
    state = served;
  } else if (queue.in_state[not_known] == 0 &&
             queue.in_state[runnable] + queue.in_state[asleep] != 0) {
    state = unserved;
  }
  if (state == queue.state) return;
  if (spans_) {
    for (const UserIndex user : queue.ready) emit(user, while_ready[queue.state], t);
  }
  count_hostages(queue, t);
  advance(queue, t);
  queue.state = state;
  count_hostages(queue, t);
}

// Keeps the sum of the open hostage span, and opens or closes it: to be called before and after
// each change of the queue's state or of its list of ready user threads.
void UserTimeline::count_hostages(Queue& queue, std::uint64_t t) {
  const auto ready = static_cast<std::uint32_t>(queue.ready.size());
  const bool open = queue.state == unserved && ready != 0;
  HostageSpan& span = queue.hostages;
  if (queue.hostages_open && open) {
    span.hostages = std::max(span.hostages, ready);
    span.total_ns += ready * (t - queue.counted_until);
  } else if (open) {
    span = {.begin_ns = t, .hostages = ready};
    if (queue.last_off != no_index) {
      const Carrier& carrier = carriers_[queue.last_off];
      span.carrier = carrier.thread;
      span.user = carrier.current;
      span.why = carrier.kernel_state;
    }
  } else if (queue.hostages_open) {
    span.end_ns = t;
    if (span.total_ns != 0) {
      for (Sink* sink : sinks_) sink->hostages(span);
    }
  }
  queue.hostages_open = open;
  queue.counted_until = t;
}

void UserTimeline::lose_queue(std::uint32_t index, std::uint64_t t) {
  const auto lose = [&](UserIndex user) {
    leave(user, t);
    enter(user, Place::lost, index, no_index, t);
  };
  while (!queues_[index].ready.empty()) lose(queues_[index].ready.back());
  for (const Carrier& carrier : carriers_) {
    if (carrier.queue == index && carrier.current != no_index) lose(carrier.current);
  }
  // Parked ones are many and look at it when they are told of again.
  queues_[index].gaps.push_back(t);
}

void UserTimeline::leave(UserIndex index, std::uint64_t t) {
  switch (users_[index].place) {
    case Place::current:
      leave_current(index, t);
      break;
    case Place::ready:
      leave_ready(index, t);
      break;
    case Place::parked:
      leave_parked(index, t);
      break;
    case Place::lost:
      book(index, UserState::unknown, t - users_[index].since);
      emit(index, UserState::unknown, t);
      break;
    case Place::over:
      break;
  }
}

void UserTimeline::leave_current(UserIndex index, std::uint64_t t) {
  const User& user = users_[index];
  Carrier& carrier = carriers_[user.carrier];
  emit(index, while_current[carrier.state], t);
  advance(carrier, t);
  for (std::size_t i = 0; i < while_current.size(); ++i) {
    book(index, while_current[i], carrier.clock[i] - user.reading[i]);
  }
  carrier.current = no_index;
}

void UserTimeline::leave_ready(UserIndex index, std::uint64_t t) {
  const User& user = users_[index];
  Queue& queue = queues_[user.queue];
  emit(index, while_ready[queue.state], t);
  advance(queue, t);
  for (std::size_t i = 0; i < while_ready.size(); ++i) {
    book(index, while_ready[i], queue.clock[i] - user.reading[i]);
  }
  count_hostages(queue, t);
  const UserIndex last = queue.ready.back();
  queue.ready[user.ready_slot] = last;
  users_[last].ready_slot = user.ready_slot;
  queue.ready.pop_back();
  count_hostages(queue, t);
}

void UserTimeline::leave_parked(UserIndex index, std::uint64_t t) {
  const User& user = users_[index];
  const Queue& queue = queues_[user.queue];
  std::uint64_t known_until = t;
  if (queue.gaps.size() > user.gaps_seen) {
    known_until = std::clamp(queue.gaps[user.gaps_seen], user.since, t);
  }
  book(index, UserState::parked, known_until - user.since);
  book(index, UserState::unknown, t - known_until);
  emit(index, UserState::parked, known_until);
  emit(index, UserState::unknown, t);
}

void UserTimeline::enter(UserIndex index, Place place, std::uint32_t queue_index,
                         std::uint32_t carrier_index, std::uint64_t t) {
  User& user = users_[index];
  Queue& queue = queues_[queue_index];
  user.place = place;
  user.queue = queue_index;
  user.carrier = carrier_index;
  user.since = t;
  user.ready_next = false;
  user.gaps_seen = queue.gaps.size();
  if (place == Place::current) {
    Carrier& carrier = carriers_[carrier_index];
    advance(carrier, t);
    user.reading = carrier.clock;
    carrier.current = index;
  } else if (place == Place::ready) {
    advance(queue, t);
    user.reading = queue.clock;
    count_hostages(queue, t);
    user.ready_slot = static_cast<std::uint32_t>(queue.ready.size());
    queue.ready.push_back(index);
    count_hostages(queue, t);
  }
}

void UserTimeline::advance(Carrier& carrier, std::uint64_t t) {
  if (t <= carrier.since) return;
  carrier.clock[carrier.state] += t - carrier.since;
  carrier.since = t;
}

void UserTimeline::advance(Queue& queue, std::uint64_t t) {
  if (t <= queue.since) return;
  queue.clock[queue.state] += t - queue.since;
  queue.since = t;
}

void UserTimeline::emit(UserIndex index, UserState state, std::uint64_t until) {
  if (!spans_) return;
  User& user = users_[index];
  if (until <= user.since) return;
  const bool current = user.place == Place::current;
  const UserSpan span{.user = index,
                      .state = state,
                      .carrier = current ? carriers_[user.carrier].thread : no_index,
                      .begin_ns = user.since,
                      .end_ns = until};
  user.since = until;
  for (Sink* sink : sinks_) sink->user_span(span);
}

}  // namespace schedscope::timeline
