// shows: what the eight chains answer
// needs: Linux 5.6
// try:   say the rule for each line
#include "01-core/09-links/check.hpp"

namespace {

using enum check::Answer;  // done, failed, canceled, expired

// One word for each request. Tied soft: ->  hard: =>  not at all: a comma. The pipe begins empty.
const check::Predictions predictions{{
    // 1. nop -> read of file -1 -> nop -> nop
    {done, failed, canceled, canceled},
    // 2. read of file -1 => read of file -1 -> nop
    {failed, failed, canceled},
    // 3. nop -> nop, read of file -1 -> nop
    {done, done, failed, canceled},
    // 4. write 5 bytes to a pipe -> read 8 bytes from it -> nop
    {done, done, canceled},
    // 5. write 5 bytes to a pipe -> read 8 bytes from it => nop
    {done, done, done},
    // 6. nop -> read of file -1 -> (io_uring_submit) nop
    {done, failed, done},
    // 7. read 8 bytes from an empty pipe -> link timeout of 10 ms -> nop
    {canceled, expired, canceled},
    // 8. timeout of 30 ms => nop -> link timeout of 10 ms
    {expired, done, canceled},
}};

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return check::judge(lesson, predictions);
}
