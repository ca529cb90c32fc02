# Planted bugs: each must be caught by the seeds.
#   mutation(NAME [OF protocol] FILE file CAUGHT_BY regex OLD text NEW text)
# OF: by the seeds of this protocol, not of the echo. mutation()
# is defined by whoever includes this: CMakeLists.txt makes a program of each, run_mutations.cmake
# makes the changed header and runs it. OLD must stand in the file exactly once, or the run fails.
# CAUGHT_BY matches "oracle: what it said".

set(connection 06-server/lib/engine/connection.hpp)
set(side 06-server/lib/engine/protocol_side.hpp)
set(line 06-server/lib/engine/buffer_line.hpp)
set(receiver 06-server/lib/engine/receiver.hpp)
set(sender 06-server/lib/engine/sender.hpp)
set(commons 06-server/lib/engine/commons.hpp)
set(worker 06-server/lib/engine/worker.hpp)
set(holder 06-server/lib/engine/buffer_holder.hpp)
set(queue 06-server/lib/engine/segment_queue.hpp)
set(inbox 06-server/lib/engine/inbox.hpp)
set(buffers 06-server/lib/engine/pooled_buffers.hpp)
set(segment 06-server/lib/protocol/segment.hpp)
set(upkeep 06-server/lib/engine/upkeep.hpp)
set(acceptor 06-server/lib/engine/acceptor.hpp)
set(budget 06-server/lib/engine/buffer_budget.hpp)

mutation(close_with_send_in_flight FILE ${connection}
  CAUGHT_BY "safety: close .* with a send in flight|safety: buffer .* while a send of .* reads it"
  OLD "!this->receive_joined() || !this->results_joined() ||"
  NEW "!this->receive_joined() ||")

mutation(close_with_receive_in_flight FILE ${connection}
  CAUGHT_BY "safety: close .* with a receive in flight|safety: .* is cut short"
  OLD "!this->receive_joined() || !this->results_joined() ||"
  NEW "!this->results_joined() ||")

mutation(recycle_at_the_result FILE ${sender}
  CAUGHT_BY "safety: .* before the notification|content: "
  OLD "++due_of(send.bytes);"
  NEW "++due_of(send.bytes); send.bytes.reset();")

mutation(no_receive_after_no_buffers FILE ${receiver} CAUGHT_BY "liveness: .* is forgotten|guarantee: "
  OLD "refused_ = true;"
  NEW "refused_ = receive_ended_ = true;")

mutation(closed_while_waiting_for_a_buffer FILE ${receiver}
  CAUGHT_BY "assertion: .*LAB_ASSERT.!receive_ended_"
  OLD "commons().leave_waiting(self());\n      receive_ended_ = true;"
  NEW "receive_ended_ = true;")

mutation(short_send_ignored FILE ${sender} CAUGHT_BY "content: |liveness: "
  OLD "outbox_.consume(static_cast<std::uint32_t>(cqe.res));"
  NEW "outbox_.consume(asked_);")

mutation(two_sends_at_once FILE ${sender}
  CAUGHT_BY "safety: a second send|assertion: .*LAB_ASSERT.!completion.armed_"
  OLD "if (sending() || outbox_.empty()) return;"
  NEW "if (outbox_.empty()) return;")

mutation(close_waits_for_notifications FILE ${connection}
  CAUGHT_BY "liveness: .* ended, nothing is in flight, and it is not closed"
  OLD "if (!this->slot_closed()) {\n      this->close();"
  NEW "if (!this->slot_closed()) {\n      if (this->notifications_joined()) this->close();")

mutation(accept_on_a_full_table FILE ${acceptor} CAUGHT_BY "accepting: "
  OLD "if (room() == 0) return;"
  NEW "")

mutation(multishot_accept_without_room_for_all FILE ${acceptor} CAUGHT_BY "accepting: "
  OLD "if (room() > most_at_once && ask_ == Ask::nothing) {"
  NEW "if (room() > 0) {")

# A full backlog is taken while more come.
mutation(multishot_accept_with_room_for_the_backlog FILE ${acceptor} CAUGHT_BY "accepting: "
  OLD "const unsigned most_at_once = ring_.raw()->cq.ring_entries + ones_max;"
  NEW "const unsigned most_at_once = 22;")

mutation(data_after_a_cancel_dropped FILE ${receiver} CAUGHT_BY "content: |liveness: |safety: .* cut short"
  OLD "if (cqe.has_buffer()) take_all(cqe);"
  NEW "const bool drops = stopping_ && !bundles_;
    if (cqe.has_buffer() && drops) commons().buffers().lease(cqe).reset();
    if (cqe.has_buffer() && !drops) take_all(cqe);")

mutation(partial_count_of_a_cancelled_send_ignored FILE ${sender} CAUGHT_BY "statistics: bytes_out"
  OLD "stats[Stat::bytes_out].add(static_cast<std::uint32_t>(res));"
  NEW "if (!cancel_send_.armed()) stats[Stat::bytes_out].add(static_cast<std::uint32_t>(res));")

mutation(no_receive_after_last_data FILE ${receiver} CAUGHT_BY "liveness: .* is forgotten"
  OLD "if (!cqe.more()) on_recv_ended(cqe.res);"
  NEW "if (!cqe.more()) on_recv_ended(cqe.res);
    if (!cqe.more() && cqe.res > 0 && carries_ == Carries::multishot) receive_ended_ = true;")

# Bundles: several buffers in one CQE, in the order and of the length that the ring's entries say.
set(buffer_ring 03-network/lib/buffer_ring.hpp)

mutation(last_of_a_bundle_not_given_back FILE ${buffer_ring}
  CAUGHT_BY "statistics: buffers home|guarantee: |liveness: "
  OLD "      left -= part;"
  NEW "      left -= part;
      if (left == 0 && part < cqe.res) share(static_cast<BufferId>(entry.bid));")

mutation(second_of_a_bundle_at_the_wrong_length FILE ${buffer_ring} CAUGHT_BY "content: |safety: "
  OLD "std::min(left, static_cast<std::int32_t>(entry.len));"
  NEW "std::min(left, static_cast<std::int32_t>(left == cqe.res ? entry.len : size_));")

mutation(bundle_in_the_order_of_numbers FILE ${buffer_ring}
  CAUGHT_BY "content: |safety: |assertion: "
  OLD "const io_uring_buf entry = entry_at(place);"
  NEW "io_uring_buf entry = entry_at(place);
      const unsigned first = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
      entry.bid = static_cast<std::uint16_t>((first + place - state_[first].place) & (count_ - 1));")

# The guarantee: nobody waits for a buffer because others do not read.
mutation(zero_copy_when_buffers_run_out FILE ${budget} CAUGHT_BY "guarantee: "
  OLD "due < cap(free) / 2 && free >= count_ / 2;"
  NEW "due < cap(free);")

mutation(cancel_that_found_nothing_not_repeated FILE ${receiver} CAUGHT_BY "liveness: "
  OLD "cancel_recv_.note(cqe);"
  NEW "cqe.res = 0;
    cancel_recv_.note(cqe);")

mutation(nobody_is_shed FILE ${upkeep} CAUGHT_BY "guarantee: "
  OLD "      shed_stuck(now, since, wanted);"
  NEW "      shed_stuck(now, now, wanted);")

mutation(no_reserve_for_bites FILE ${budget} CAUGHT_BY "guarantee: "
  OLD "const std::uint32_t reserved = size_ > bite_max ? reserve_ : 0;"
  NEW "const std::uint32_t reserved = 0;")

# A send that goes on by itself is on its way for long, and says nothing of its peer.
mutation(sends_that_wait_for_all FILE 03-network/lib/send.hpp CAUGHT_BY "safety: .* is cut short"
  OLD "what_fits = 0"
  NEW "what_fits = MSG_WAITALL")

mutation(drained_over_unread_data FILE ${receiver} CAUGHT_BY "safety: .* is cut short"
  OLD "rested_ = self().quiet() && looks && !stopping_;"
  NEW "rested_ = self().quiet() && (looks || true);")

# Where a closed slot keeps its file (before Linux 6.13).
mutation(no_shutdown_before_the_close FILE ${commons} CAUGHT_BY "liveness: .* has not heard of it"
  OLD "if (slot_releases()) return;"
  NEW "return;")

mutation(receives_not_renewed FILE 06-server/lib/engine/commons.hpp
  CAUGHT_BY "liveness: the file of .* is kept"
  OLD "if (!slot_releases()) renewal_.renew(now);"
  NEW "static_cast<void>(now);")

# What protocols with answers of their own need.
mutation(pooled_buffer_leaked OF lines FILE ${buffers} CAUGHT_BY "statistics: pooled|guarantee: |liveness: "
  OLD "++self.readers_[id];"
  NEW "self.readers_[id] = static_cast<std::uint16_t>(self.readers_[id] + 2);")

mutation(buffer_given_back_twice OF lines FILE ${segment} CAUGHT_BY "assertion: |safety: |content: "
  OLD "        owner_(std::exchange(other.owner_, nullptr)),"
  NEW "        owner_(other.owner_),")

mutation(no_turn_when_room_comes_back OF lines FILE ${side} CAUGHT_BY "liveness: |guarantee: |safety: "
  OLD "    self().protocol_.on_turn(self());"
  NEW "    if (self().anything_unread()) self().protocol_.on_turn(self());")

mutation(file_piece_out_of_order OF lines FILE ${connection} CAUGHT_BY "content: "
  OLD "this->outbox_.push(std::move(bytes));"
  NEW "if (this->sending() || this->outbox_empty()) {
      this->outbox_.push(std::move(bytes));
    } else {
      this->outbox_.push_front(std::move(bytes));
    }")

mutation(slot_adopted_twice FILE ${acceptor} CAUGHT_BY "safety: |assertion: "
  OLD "sink_.adopt(static_cast<FileSlot>(cqe.res));"
  NEW "sink_.adopt(static_cast<FileSlot>(cqe.res));
      if (cqe.res == 3) sink_.adopt(static_cast<FileSlot>(cqe.res));")

mutation(end_told_before_the_last_bytes OF lines FILE ${inbox} CAUGHT_BY "safety: |content: |liveness: "
  OLD "if (!end_due_ || closed_ || !inbox_.empty()) return false;"
  NEW "if (!end_due_ || closed_) return false;")

mutation(who_keeps_a_buffer_is_left_alone OF lines FILE ${upkeep} CAUGHT_BY "guarantee: |liveness: "
  OLD "if (!held_since || now - *held_since < held_ticks_max) continue;"
  NEW "if (!held_since || now - *held_since < 1000 * held_ticks_max) continue;")

mutation(pieces_need_no_room OF awkward FILE ${queue} CAUGHT_BY "assertion: .*LAB_ASSERT.fresh_ < size_"
  OLD "if (kind != SegmentKind::received || segment.is_piece()) {"
  NEW "if (kind != SegmentKind::received) {")

mutation(a_turn_for_each_buffer_however_often OF awkward FILE ${line}
  CAUGHT_BY "assertion: .*turns_in_vain_"
  OLD "turns > 0 && pooled.free() > 0"
  NEW "pooled.free() > 0")

mutation(a_kept_buffer_is_not_seen OF awkward FILE ${holder} CAUGHT_BY "guarantee: |liveness: "
  OLD "return self().holds_pooled_buffers() || self().keeps_pooled_buffers();"
  NEW "return self().holds_pooled_buffers();")

set(http_static 06-server/lib/protocol/http/http_static.hpp)
set(answer_sender 06-server/lib/protocol/http/answer_sender.hpp)

mutation(answers_of_a_pipeline_swapped OF http FILE ${answer_sender} CAUGHT_BY "content: |liveness: "
  OLD "bool send_memory(auto& io) noexcept {\n    flush(io);"
  NEW "bool send_memory(auto& io) noexcept {")

mutation(body_of_another_length OF http FILE ${answer_sender} CAUGHT_BY "content: |liveness: |guarantee: "
  OLD "    left_ = size;"
  NEW "    left_ = variant.coding == Coding::identity ? size : size - 1;")

mutation(file_piece_sent_twice OF http FILE ${answer_sender} CAUGHT_BY "content: "
  OLD "    offset_ += piece.size();"
  NEW "")

mutation(head_with_a_body OF http FILE ${http_static} CAUGHT_BY "content: "
  OLD "answer.variant != nullptr && answer.has_body && answer.size > 0"
  NEW "answer.variant != nullptr && answer.size > 0")

# Sessions: what waits, what is kept, and what the kernel still has.
set(session_io 06-server/lib/protocol/session/session_io.hpp)
set(session_input 06-server/lib/protocol/session/session_input.hpp)

mutation(segment_not_given_up OF session FILE ${session_input}
  CAUGHT_BY "statistics: buffers home|guarantee: |liveness: "
  OLD "segment.reset();"
  NEW "::new (static_cast<void*>(&segment)) Segment;")

mutation(read_resumed_twice OF session FILE ${session_io} CAUGHT_BY "content: |assertion: |safety: "
  OLD "    pause_.resume();"
  NEW "    pause_.resume();
    if (pause_.waited_for()) pause_.resume();")

mutation(drain_forgets_a_sleeper OF session FILE ${session_io} CAUGHT_BY "liveness: "
  OLD "    if (due) timers_.start("
  NEW "    if (due && !draining_) timers_.start(")

# The code has ended, the connection lingers, and what was not looked at stays with it.
mutation(segment_kept_past_its_session OF session FILE ${session_io}
  CAUGHT_BY "statistics: buffers home|guarantee: |liveness: "
  OLD "    input_.clear();"
  NEW "    ::new (static_cast<void*>(&input_)) SessionInput;")

mutation(frame_freed_while_armed OF session FILE 04-advanced/lib/task.hpp CAUGHT_BY "assertion: |safety: "
  OLD "if (promise.operations_ == nullptr) return frame.destroy();"
  NEW "if (promise.operations_ == nullptr || !promise.running_) return frame.destroy();")

# Limits: who is let in, and who is made to wait.
set(client_limits 06-server/lib/engine/client_limits.hpp)

mutation(one_place_for_all_addresses OF limited FILE ${acceptor} CAUGHT_BY "limits: "
  OLD "accept.start_once(acceptor.ring_, acceptor.listener_fd_, peer);"
  NEW "accept.start_once(acceptor.ring_, acceptor.listener_fd_, acceptor.ones_[0].peer);")

mutation(who_leaves_still_counts OF limited FILE ${commons}
  CAUGHT_BY "limits: .* may come|assertion: .*LAB_ASSERT.size_ > 0"
  OLD "if (limits_) limits_->leave(slot);"
  NEW "static_cast<void>(slot);")

mutation(who_is_paced_is_received_from OF limited FILE ${receiver} CAUGHT_BY "limits: .* asks too often"
  OLD "const bool wanted = !unwanted_ && !self().paced();"
  NEW "const bool wanted = !unwanted_;")

mutation(who_is_paced_is_forgotten OF limited FILE ${client_limits} CAUGHT_BY "liveness: |guarantee: "
  OLD "waits.waker->wake();"
  NEW "")

mutation(the_refused_are_charged OF limited FILE 06-server/lib/limits/rate_limit.hpp CAUGHT_BY "limits: .* may come"
  OLD "if (!conforms(due_ns, now_ns)) return false;"
  NEW "if (!conforms(due_ns, now_ns)) {
      due_ns = count(due_ns, now_ns);
      return false;
    }")

# A limit of delay: a burst is none, and whoever is behind lets nobody in.
set(delay_limit 06-server/lib/limits/delay_limit.hpp)

mutation(one_late_tick_refuses OF limited FILE ${delay_limit} CAUGHT_BY "limits: .* may come"
  OLD "now_ns - late_since_ns_ >= interval_ns;"
  NEW "now_ns >= late_since_ns_;")

mutation(the_end_of_a_delay_is_not_seen OF limited FILE ${delay_limit} CAUGHT_BY "limits: .* may come"
  OLD "      late_ = refuses_ = false;
      return;"
  NEW "      return;")

mutation(nobody_asks_whether_it_is_behind OF limited FILE ${client_limits}
  CAUGHT_BY "limits: .* while the server is behind"
  OLD "if (delay_ && delay_->refuses()) return Refused::delay;"
  NEW "")

mutation(its_ticks_are_not_looked_at OF limited FILE ${client_limits}
  CAUGHT_BY "limits: .* while the server is behind"
  OLD "if (delay_) delay_->tick(now_ns);"
  NEW "")

# TLS: what only a client that decrypts can see.
set(tls 06-server/lib/protocol/tls/tls.hpp)
set(tls_sender 06-server/lib/protocol/tls/tls_sender.hpp)

mutation(fin_without_close_notify OF tls FILE ${tls} CAUGHT_BY "content: .* FIN before the end|content: byte"
  OLD "    session_.close_notify();
"
  NEW "")

mutation(record_kept_while_blocked OF tls FILE ${tls_sender} CAUGHT_BY "content: |liveness: |assertion: "
  OLD "if (!front.empty()) continue;"
  NEW "")

# An echo takes all that it is told. HTTP gives back what comes behind a request, in the clear.
mutation(given_back_in_the_clear_and_lost OF tls_http FILE ${tls}
  CAUGHT_BY "content: |liveness: |assertion: "
  OLD "{ receiver_.unread(std::move(bytes)); }"
  NEW "{ bytes = Segment(); }")

# Two connections that are one: what is dialled, and what of the one is the other's.
set(pair 06-server/lib/engine/pair.hpp)
set(dialler 06-server/lib/engine/dialler.hpp)

mutation(a_half_that_nobody_watches OF proxy FILE ${pair}
  CAUGHT_BY "liveness: .* nobody would hear of its reset"
  OLD "loss_.start(self().commons().ring(), self().slot());"
  NEW "")

mutation(close_with_connect_in_flight OF proxy FILE ${pair}
  CAUGHT_BY "safety: close of .* in flight|assertion: "
  OLD "return this->dial_joined() && !fin_.armed()"
  NEW "return !fin_.armed()")

mutation(close_with_fin_in_flight OF proxy FILE ${pair}
  CAUGHT_BY "safety: close of .* in flight|assertion: "
  OLD "return this->dial_joined() && !fin_.armed() &&"
  NEW "return this->dial_joined() &&")

mutation(close_with_poll_for_the_other_in_flight OF proxy FILE ${pair}
  CAUGHT_BY "safety: close of .* in flight|assertion: "
  OLD "!this->finds_ends() && !writable_.armed() &&"
  NEW "!this->finds_ends() &&")

mutation(fin_before_the_last_byte OF proxy FILE ${pair} CAUGHT_BY "content: FIN on"
  OLD "if (!fin_wanted_ || !self().all_sent()) return;"
  NEW "if (!fin_wanted_) return;")

mutation(fin_not_passed_on OF proxy FILE ${pair} CAUGHT_BY "liveness: .* does not hear of it"
  OLD "other_->fin_wanted_ = true;"
  NEW "")

mutation(a_loss_looks_like_an_end OF proxy FILE ${pair} CAUGHT_BY "content: "
  OLD "other->finish_with_reset();"
  NEW "other->finish(Finish::close);")

mutation(failed_connect_keeps_its_slot OF proxy FILE ${pair} CAUGHT_BY "liveness: .* it is not closed"
  OLD "    lose_other(error);
    self().reset();"
  NEW "    lose_other(error);")

mutation(place_of_a_failed_socket_lost OF proxy FILE ${dialler}
  CAUGHT_BY "statistics: places for dialled|assertion: "
  OLD "self().commons().slots().give_up(true);"
  NEW "")

mutation(connect_not_cancelled OF proxy FILE ${dialler} CAUGHT_BY "liveness: "
  OLD "cancel_.pursue(self().commons().ring(), connect_);"
  NEW "")

# Who has another one waits for that one's room, from the moment on that it has one.
mutation(waits_for_its_own_room OF proxy FILE ${receiver} CAUGHT_BY "liveness: |guarantee: "
  OLD "carries_ == Carries::poll && self().relays() && !stopping_"
  NEW "carries_ == Carries::poll && !self().relays() && stopping_")

mutation(asks_on_behalf_of_a_lost_client OF proxy FILE 06-server/proxy/balance.hpp
  CAUGHT_BY "assertion: .*LAB_ASSERT.io_ != nullptr"
  OLD "if (slept == SessionResult::lost) co_return 0;"
  NEW "if (slept == SessionResult::lost) break;")

# Who the client is: before its first byte, once, however many upstreams were tried, and whether or
# not the kernel knows.
mutation(client_is_named_twice_after_a_retry OF proxy FILE 06-server/proxy/balance.hpp
  CAUGHT_BY "content: "
  OLD "      co_await upstream.write(line.text());"
  NEW "      co_await upstream.write(line.text());
      if ((tried & (tried - 1)) != 0) co_await upstream.write(line.text());")

mutation(client_is_not_named_after_a_retry OF proxy FILE 06-server/proxy/balance.hpp
  CAUGHT_BY "content: "
  OLD "if (balancer.proxy_protocol) {"
  NEW "if (balancer.proxy_protocol && (tried & (tried - 1)) == 0) {")

mutation(unknown_client_is_not_named OF proxy FILE 06-server/proxy/balance.hpp
  CAUGHT_BY "content: "
  OLD "      co_await upstream.write(line.text());"
  NEW "      if (known) co_await upstream.write(line.text());")
