// A copy button on each piece of code. Where the browser has no clipboard for a page there is none.
"use strict";
document.addEventListener("DOMContentLoaded", function () {
  if (!navigator.clipboard) return;
  document.querySelectorAll(".contents div.fragment").forEach(function (code) {
    var button = document.createElement("button");
    button.className = "copy";
    button.textContent = "copy";
    button.addEventListener("click", function () {
      var lines = Array.from(code.querySelectorAll("div.line"));
      var text = lines.map(function (line) { return line.textContent; }).join("\n");
      navigator.clipboard.writeText(text + "\n").then(function () {
        button.textContent = "copied";
      });
    });
    var around = document.createElement("div");
    around.className = "copied-from";
    code.replaceWith(around);
    around.append(code, button);
  });
});
