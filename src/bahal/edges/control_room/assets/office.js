// What a page can do without, made livelier: a part that asks for its newer self, and "/" to the search box.
// A part is our own server's markup from our own origin, in which every name was escaped when it was made.
"use strict";

function follow(part) {
  const every = Number(part.dataset.every) * 1000;
  async function ask() {
    try {
      const answer = await fetch(part.dataset.part, { headers: { "X-Part": "1" } });
      if (answer.status === 401) {
        location.reload();
        return;
      }
      if (answer.ok) {
        const made = new DOMParser().parseFromString(await answer.text(), "text/html");
        part.replaceChildren(...made.body.childNodes);
        if (answer.headers.get("X-Part-Over")) {
          return;
        }
      }
    } catch {
      // The network is away; the next time may find it.
    }
    setTimeout(ask, every);
  }
  setTimeout(ask, every);
}

document.querySelectorAll("[data-part]").forEach(follow);

document.addEventListener("keydown", (event) => {
  const box = document.querySelector("input[type=search]");
  const writing = /^(input|textarea|select)$/i.test(event.target.tagName);
  if (event.key === "/" && box && !writing) {
    event.preventDefault();
    box.focus();
    box.select();
  }
});
