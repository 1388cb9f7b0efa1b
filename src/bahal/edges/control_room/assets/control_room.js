// Puts each new picture of the drive into the cells of the page. Text only: nothing of it is ever read as markup.
"use strict";

const live = document.body.dataset.live;

function put(cell, value) {
  const found = document.querySelector(`[data-cell="${cell}"]`);
  if (found && found.textContent !== String(value)) {
    found.textContent = String(value);
  }
}

function show(drive) {
  put("state", drive.state_words[document.documentElement.lang]);
  drive.divisions.forEach((division, place) => {
    Object.entries(division).forEach(([name, value]) => put(`${place}.${name}`, value));
  });
  Object.entries(drive.total).forEach(([name, value]) => put(`total.${name}`, value));
}

if (live) {
  new EventSource(live).onmessage = (event) => {
    const drive = JSON.parse(event.data);
    if (drive) {
      show(drive);
    }
  };
}
