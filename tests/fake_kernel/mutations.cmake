# Planted bugs: each must be caught by the seeds. mutation(NAME FILE file CAUGHT_BY regex OLD text NEW text)
# is defined by whoever includes this: CMakeLists.txt makes a program of each, run_mutations.cmake
# makes the changed header and runs it. OLD must stand in the file exactly once, or the run fails.
# CAUGHT_BY matches "oracle: what it said".

set(connection 06-server/lib/connection.hpp)
set(worker 06-server/lib/worker.hpp)

mutation(close_with_send_in_flight FILE ${connection}
  CAUGHT_BY "safety: close .* with a send in flight|safety: buffer .* while a send of .* reads it"
  OLD "recv_.armed() || sending_ || cancel_recv_.armed()"
  NEW "recv_.armed() || cancel_recv_.armed()")

mutation(close_with_receive_in_flight FILE ${connection}
  CAUGHT_BY "safety: close .* with a receive in flight|safety: .* is cut short"
  OLD "recv_.armed() || sending_ || cancel_recv_.armed() || cancel_send_.armed()"
  NEW "sending_ || cancel_send_.armed()")

mutation(recycle_at_the_result FILE ${connection}
  CAUGHT_BY "safety: .* before the notification|content: "
  OLD "++notifications_due_;"
  NEW "++notifications_due_; send.lease.reset();")

mutation(no_receive_after_no_buffers FILE ${connection} CAUGHT_BY "liveness: .* is forgotten"
  OLD "if (receiving_ == Receiving::armed) receiving_ = Receiving::paused;"
  NEW "if (receiving_ == Receiving::armed && res != -ENOBUFS) receiving_ = Receiving::paused;")

mutation(closed_while_waiting_for_a_buffer FILE ${connection}
  CAUGHT_BY "assertion: .*LAB_ASSERT.receiving_ == Receiving::starved"
  OLD "worker_.leave_waiting(*this);"
  NEW "")

mutation(short_send_ignored FILE ${connection} CAUGHT_BY "content: |liveness: "
  OLD "outbox_.consume(static_cast<std::uint32_t>(cqe.res));"
  NEW "outbox_.consume(asked_);")

mutation(two_sends_at_once FILE ${connection}
  CAUGHT_BY "safety: a second send|assertion: .*LAB_ASSERT.!completion.armed_"
  OLD "if (sending_ || outbox_.empty()) return;"
  NEW "if (outbox_.empty()) return;")

mutation(close_waits_for_notifications FILE ${connection}
  CAUGHT_BY "liveness: .* ended, nothing is in flight, and it is not closed"
  OLD "if (!slot_closed_) {\n      close();"
  NEW "if (!slot_closed_) {\n      if (notifications_due_ == 0) close();")

mutation(accept_on_a_full_table FILE ${worker} CAUGHT_BY "accepting: "
  OLD "if (room() == 0) return;"
  NEW "")

mutation(multishot_accept_without_room_for_all FILE ${worker} CAUGHT_BY "accepting: "
  OLD "if (room() > most_at_once) {"
  NEW "if (room() > 0) {")

# A full backlog is taken while more come.
mutation(multishot_accept_with_room_for_the_backlog FILE ${worker} CAUGHT_BY "accepting: "
  OLD "const unsigned most_at_once = ring_.raw()->cq.ring_entries + accepts_max;"
  NEW "const unsigned most_at_once = 80;")

mutation(data_after_a_cancel_dropped FILE ${connection} CAUGHT_BY "content: |liveness: |safety: .* cut short"
  OLD "if (cqe.has_buffer()) take(worker_.buffers().lease(cqe));"
  NEW "if (cqe.has_buffer()) {
      BufferLease lease = worker_.buffers().lease(cqe);
      if (receiving_ != Receiving::pausing) take(std::move(lease));
    }")

mutation(partial_count_of_a_cancelled_send_ignored FILE ${connection} CAUGHT_BY "statistics: bytes_out"
  OLD "stats[Stat::bytes_out].add(static_cast<std::uint32_t>(res));"
  NEW "if (!cancel_send_.armed()) stats[Stat::bytes_out].add(static_cast<std::uint32_t>(res));")

mutation(no_receive_after_last_data FILE ${connection} CAUGHT_BY "liveness: .* is forgotten"
  OLD "if (receiving_ == Receiving::armed) receiving_ = Receiving::paused;"
  NEW "if (receiving_ == Receiving::armed && !(res > 0 && multishot_)) receiving_ = Receiving::paused;")

# Beyond the list of design.md, section 8: the guarantee of section 6.
mutation(zero_copy_when_buffers_run_out FILE ${worker} CAUGHT_BY "guarantee: "
  OLD "due < lease_cap() / 2 && buffers_.free() >= buffers_.count() / 2;"
  NEW "due < lease_cap();")

mutation(cancel_that_found_nothing_not_repeated FILE ${connection} CAUGHT_BY "liveness: "
  OLD "recv_found_ = cqe.res == 0;"
  NEW "recv_found_ = cqe.res <= 0;")

mutation(nobody_is_shed FILE ${worker} CAUGHT_BY "guarantee: "
  OLD "if (waiting_.empty() || buffers_.free() > 0) return;"
  NEW "if (waiting_.empty() || buffers_.free() > 0 || stuck_ticks > 0) return;")

mutation(no_reserve_for_bites FILE ${worker} CAUGHT_BY "guarantee: "
  OLD "const unsigned reserved = buffers_.size() > bite ? reserve_ : 0;"
  NEW "const unsigned reserved = 0;")

# A send that goes on by itself is on its way for long, and says nothing of its peer.
mutation(sends_that_wait_for_all FILE ${connection} CAUGHT_BY "safety: .* is cut short"
  OLD "gather_->message(), Send::what_fits);"
  NEW "gather_->message(), Send::whole);")

mutation(drained_over_unread_data FILE ${connection} CAUGHT_BY "safety: .* is cut short"
  OLD "rested_ = quiet() && receiving_ == Receiving::armed;"
  NEW "rested_ = quiet();")

# Where a closed slot keeps its file (before Linux 6.13).
mutation(no_shutdown_before_the_close FILE ${worker} CAUGHT_BY "liveness: .* has not heard of it"
  OLD "if (slot_releases()) return;"
  NEW "return;")

mutation(receives_not_renewed FILE ${worker} CAUGHT_BY "liveness: the file of .* is kept"
  OLD "if (!slot_releases()) renew_receives();"
  NEW "")
