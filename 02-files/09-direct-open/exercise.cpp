// A hundred files, and it takes a hundred slots for them. `./lab exercise 02-09` runs it.
#include "02-files/09-direct-open/check.hpp"

namespace {

void queue_chain(io_uring& ring, exercise::File& file, unsigned slot) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_openat_direct(sqe, AT_FDCWD, file.path.c_str(), O_RDONLY, 0, slot);
  io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
  io_uring_sqe_set_data(sqe, nullptr);
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, static_cast<int>(slot), file.memory.data(),
                     static_cast<unsigned>(file.memory.size()), 0);
  io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK);
  io_uring_sqe_set_data(sqe, &file);
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_close_direct(sqe, slot);
  io_uring_sqe_set_data(sqe, nullptr);
}

void read_files(io_uring& ring, std::vector<exercise::File>& files) {
  // YOUR TURN: the table has four slots. Up to four chains may be in flight, each in a slot of its
  // own, and a slot is free again when its chain's last answer has come.
  for (std::size_t index = 0; index < files.size(); ++index) {
    queue_chain(ring, files[index], static_cast<unsigned>(index));
    exercise::submit_and_wait(ring, 3);
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&ring, &cqe) == 0) {
      auto* file = static_cast<exercise::File*>(io_uring_cqe_get_data(cqe));
      if (file != nullptr) file->read = cqe->res;
      io_uring_cqe_seen(&ring, cqe);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(16, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  const int status = exercise::judge(ring, &read_files);
  io_uring_queue_exit(&ring);
  return status;
}
