"use strict";
// What is shown is always what the server wrote: this fetches the page again and puts its parts in the
// place of those that differ, so nothing is turned into markup here.
const parts = ["state", "bar", "expected", "updated", "actions"];
const trouble = document.getElementById("trouble");
document.documentElement.classList.add("scripted");

async function refresh() {
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
    if (!answer.ok) throw answer.status;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of parts) replace(document.getElementById(id), fresh.getElementById(id));
    document.title = fresh.title;
    trouble.hidden = true;
  } catch {
    trouble.hidden = false;
  }
}

function replace(old, fresh) {
  if (old.outerHTML === fresh.outerHTML) return;
  const progress = old.querySelector("progress"), next = fresh.querySelector("progress");
  if (progress && next && next.hasAttribute("value")) {
    progress.value = next.value;
    old.querySelector(".percent").textContent = fresh.querySelector(".percent").textContent;
    return;
  }
  const held = old.contains(document.activeElement);
  for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
  old.replaceChildren(...fresh.childNodes);
  if (held) document.querySelector("h1").focus();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button || button.getAttribute("aria-disabled") === "true") return;
  // Not `disabled`, which would take the focus from whoever has just pressed it.
  button.setAttribute("aria-disabled", "true");
  try {
    const answer = await fetch(location.href, { method: "DELETE", mode: "same-origin" });
    if (!answer.ok) throw answer.status;
    await refresh();
  } catch {
    button.removeAttribute("aria-disabled");
    trouble.hidden = false;
  }
});

if (document.querySelector("button")) {
  const events = new EventSource(location.href);
  let timer;
  events.addEventListener("status", refresh);
  events.addEventListener("end", () => {
    events.close();
    clearInterval(timer);
    refresh();
  });
  // Where there are no events to be had, such as when too many watch, it asks.
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED && !timer) {
      timer = setInterval(() => document.querySelector("button") ? refresh() : clearInterval(timer), 5000);
    }
  });
}
