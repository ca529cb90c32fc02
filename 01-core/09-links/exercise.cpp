// shows: whether you know what a chain will answer
// needs: Linux 5.6
// try:   replace each unknown, then run it
#include "01-core/09-links/check.hpp"

namespace {

using enum check::Answer;  // done, failed, canceled, expired

// One word for each request. Tied soft: ->  hard: =>  not at all: a comma. The pipe begins empty.
// YOUR TURN 1: which word does each request answer with?
const check::Predictions predictions{{
    // 1. nop -> read of file -1 -> nop -> nop
    {unknown, unknown, unknown, unknown},
    // 2. read of file -1 => read of file -1 -> nop
    {unknown, unknown, unknown},
    // 3. nop -> nop, read of file -1 -> nop
    {unknown, unknown, unknown, unknown},
    // 4. write 5 bytes to a pipe -> read 8 bytes from it -> nop
    {unknown, unknown, unknown},
    // 5. write 5 bytes to a pipe -> read 8 bytes from it => nop
    {unknown, unknown, unknown},
    // 6. nop -> read of file -1 -> (io_uring_submit) nop
    {unknown, unknown, unknown},
    // 7. read 8 bytes from an empty pipe -> link timeout of 10 ms -> nop
    {unknown, unknown, unknown},
    // 8. timeout of 30 ms => nop -> link timeout of 10 ms
    {unknown, unknown, unknown},
}};

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return check::judge(lesson, predictions);
}
