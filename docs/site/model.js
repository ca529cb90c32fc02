// The model of two rings on the page "How io_uring works". Each story is a list of steps: what the
// program or the kernel does, and how the queues are afterwards. What a story ends with is what its
// lesson's program prints: traces.js has it from expected.txt and broken.txt.
"use strict";
(function () {
  // A step: [who, words, submission queue, in the kernel, completion queue, your memory].
  var stories = [
    {name: "one request, answered at once", lesson: "01-01", steps: [
      ["you", "You fill an SQE: NOP, marked 42. It is a write to memory; the kernel does not know.",
        ["NOP 42"], [], []],
      ["you", "You submit: one system call. The kernel takes the SQE.", [], ["NOP 42"], []],
      ["kernel", "There is nothing to wait for, so the CQE is there before the call returns.",
        [], [], ["42: res 0"]],
      ["you", "You read the CQE and move the head: its place is free.", [], [], []]]},
    {name: "answered later, out of order", lesson: "01-03", steps: [
      ["you", "You fill three SQEs: timers of 30, 10 and 20 ms, each marked with its time.",
        ["TIMEOUT 30", "TIMEOUT 10", "TIMEOUT 20"], [], []],
      ["you", "One call submits all three, and waits for an answer.", [],
        ["TIMEOUT 30", "TIMEOUT 10", "TIMEOUT 20"], []],
      ["kernel", "They are put aside; no thread waits for any of them. After 10 ms your thread, in "
        + "the kernel, finishes the second.", [], ["TIMEOUT 30", "TIMEOUT 20"],
        ["10: res -ETIME"]],
      ["kernel", "The other two follow when their times are up.", [], [],
        ["10: res -ETIME", "20: res -ETIME", "30: res -ETIME"]],
      ["you", "You drain the queue. Only the marks say whose answers these are.", [], [], []]]},
    {name: "answered by a worker", lesson: "02-13", steps: [
      ["you", "You fill 16 SQEs: splices out of an empty pipe. A splice cannot say when it is ready.",
        ["16 × SPLICE"], [], []],
      ["you", "You submit. Your thread does not wait for them.", [], ["16 × SPLICE"], []],
      ["kernel", "The kernel hands them to worker threads, and each worker waits in your place. At "
        + "most 4 are allowed here, so 12 are in line.", [],
        ["4 × SPLICE, each on a worker", "12 × SPLICE, in line"], []],
      ["kernel", "The pipe gets its bytes. A worker that is done posts its CQE and takes the next.",
        [], [], ["16 × SPLICE"]],
      ["you", "You read these CQEs like any others.", [], [], []]]},
    {name: "a full completion queue", lesson: "01-08", broken: true, steps: [
      ["you", "32 NOPs are due, and the completion queue has 8 places.", ["32 × NOP"], [], []],
      ["kernel", "All are taken and answered. 8 CQEs fit. The kernel keeps 24 in a list and sets the "
        + "overflow flag.", [], ["24 CQEs in a list"],
        ["0", "1", "2", "3", "4", "5", "6", "7"]],
      ["you", "You read eight. What is in the list comes only with a call into the kernel.",
        [], ["24 CQEs in a list"], []]],
      right: [["you", "You see the flag and call. The list moves into the queue: 8 at a time, three "
        + "calls.", [], [], ["8", "9", "…", "15"]]],
      wrong: [["you", "You read memory only and look for the 24 there. They never come.",
        [], ["24 CQEs in a list"], []]]},
    {name: "a buffer used too early", lesson: "01-12", broken: true, steps: [
      ["you", "You ask for a read from a pipe into a buffer.", ["READ → buffer 0"], [], [], [""]],
      ["you", "You submit. Nothing is in the pipe yet, so the read waits. It is armed: buffer 0 is "
        + "the kernel's.", [], ["READ → buffer 0"], [], [""]]],
      right: [["you", "You write the order into a buffer of its own.", [], ["READ → buffer 0"], [],
        ["", "order 17: 3 apples"]],
        ["kernel", "The late bytes come. They hit nothing.", [], [], ["READ: res 10"],
          ["LATE BYTES", "order 17: 3 apples"]]],
      wrong: [["you", "You write the order into buffer 0.", [], ["READ → buffer 0"], [],
        ["order 17: 3 apples"]],
        ["kernel", "The late bytes come, and the kernel writes them where you asked.", [], [],
          ["READ: res 10"], ["LATE BYTES3 apples"]]]},
    {name: "two sends of one stream", lesson: "03-09", broken: true, brokenLesson: "03-08", steps: [
      ["you", "A client has sent two pieces, and you owe it both.", [], [], [], ["piece 1", "piece 2"]]],
      right: [["you", "One unfinished send per stream: you submit the first only.", [],
        ["SEND piece 1"], [], ["piece 2 waits"]],
        ["kernel", "It is done, so the second may go.", [], ["SEND piece 2"], ["piece 1: sent"]],
        ["kernel", "The stream has them in order.", [], [], ["piece 2: sent"]]],
      wrong: [["you", "You submit both at once.", [], ["SEND piece 1", "SEND piece 2"], []],
        ["kernel", "The socket is full. Both wait for room, and nothing says which goes first.", [],
          ["SEND piece 2", "SEND piece 1"], []]]},
    {name: "a multishot that ends", lesson: "03-07", broken: true, steps: [
      ["you", "One SQE: a multishot receive, with buffers for the kernel to pick from.",
        ["RECV multishot"], [], []],
      ["you", "You submit it. From now on it answers again and again.", [], ["RECV multishot"], []],
      ["kernel", "Each piece of data is a CQE with F_MORE: more will come.", [], ["RECV multishot"],
        ["res 3, F_MORE", "res 3, F_MORE"]],
      ["kernel", "More comes than the completion queue has places. The last CQE has data and no "
        + "F_MORE: the receive has ended.", [], [],
        ["res 8, F_MORE", "res 8, F_MORE", "res 8, F_MORE", "res 8, F_MORE", "res 8"]]],
      right: [["you", "You look at F_MORE, not only at res, and start the receive again.",
        ["RECV multishot"], [], []],
        ["kernel", "No buffer is left, so it ends at once. You start it again when buffers come home.",
          [], [], ["res -105, ENOBUFS"]]],
      wrong: [["you", "You look at res only. It is no error, so you wait. Nothing is armed: the "
        + "connection is deaf.", [], [], []]]}
  ];

  var place = document.getElementById("ring-model");
  if (!place || typeof LAB_TRACES === "undefined") return;

  function add(to, tag, text, name) {
    var made = document.createElement(tag);
    if (text) made.textContent = text;
    if (name) made.className = name;
    to.append(made);
    return made;
  }

  add(place, "p", "Step through it: choose a story, and see what its lesson's program prints.");
  var bar = add(place, "div", "", "bar");
  var choice = add(bar, "select");
  choice.setAttribute("aria-label", "story");
  stories.forEach(function (story) { add(choice, "option", story.name); });
  var back = add(bar, "button", "back", "back");
  var step = add(bar, "button", "step", "step");
  var mistake = add(add(bar, "label", "", "mistake"), "input");
  mistake.type = "checkbox";
  mistake.parentNode.append(" break it");
  var words = add(place, "p", "", "words");
  words.setAttribute("aria-live", "polite");
  var queues = add(place, "div", "", "queues");
  var columns = ["submission queue", "in the kernel", "completion queue", "your memory"].map(
    function (name) {
      var column = add(queues, "div");
      add(column, "b", name);
      return add(column, "ol");
    });
  var end = add(place, "div", "", "end");
  var at = 0;

  function steps(story) {
    return story.steps.concat((mistake.checked ? story.wrong : story.right) || []);
  }

  function show() {
    var story = stories[choice.selectedIndex];
    mistake.disabled = !story.broken;
    if (!story.broken) mistake.checked = false;
    var all = steps(story);
    var now = at ? all[at - 1] : ["", "Nothing has been asked yet.", [], [], []];
    words.textContent = (at ? at + " of " + all.length + ", " + now[0] + ": " : "") + now[1];
    columns.forEach(function (column, index) {
      column.replaceChildren();
      (now[index + 2] || []).forEach(function (entry) { add(column, "li", entry || "(empty)"); });
    });
    columns[3].parentNode.hidden = !all.some(function (one) { return one[5]; });
    back.disabled = at === 0;
    step.disabled = at === all.length;
    end.replaceChildren();
    if (at < all.length) return;
    var lesson = mistake.checked && story.brokenLesson || story.lesson;
    // Lesson 03-08 is itself the server that makes this mistake.
    var kind = mistake.checked && !story.brokenLesson ? "broken" : "expected";
    var said = add(end, "p", "The program of lesson ");
    var link = add(said, "a", lesson);
    link.href = "lesson-" + lesson + ".html";
    said.append(kind === "broken" ? ", broken in this way, prints:" : " prints:");
    add(end, "pre", LAB_TRACES[lesson][kind].join("\n"));
  }

  function restart() { at = 0; show(); }
  choice.addEventListener("change", restart);
  mistake.addEventListener("change", restart);
  step.addEventListener("click", function () { at += 1; show(); });
  back.addEventListener("click", function () { at -= 1; show(); });
  show();
}());
