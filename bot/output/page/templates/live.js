// Keeps the page up to date: at each event it fetches the page again and replaces what changed.
"use strict";

(() => {
  const news = document.getElementById("news");
  const gone = document.getElementById("gone");
  const threads = document.getElementById("threads");

  const ENDED = "The program has ended. This page no longer updates.";

  // A screen reader reads the text out whenever it is set, even if the words do not change.
  function say(text) {
    if (gone.textContent !== text) gone.textContent = text;
  }

  const parse = (text) => new DOMParser().parseFromString(text, "text/html");

  // A feed shows its newest post, unless a person scrolled in it. Scrolling by the page itself
  // does not count.
  const moved = new WeakSet();
  const feeds = [...document.querySelectorAll(".feed")];
  for (const feed of feeds) {
    for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) {
      feed.addEventListener(kind, () => moved.add(feed), { passive: true });
    }
  }
  const atEnd = (feed) => feed.scrollHeight - feed.scrollTop - feed.clientHeight < 120;
  const follows = (feed) => !moved.has(feed) || atEnd(feed);
  const toEnd = (feed) => {
    feed.scrollTop = feed.scrollHeight;
  };

  // Times are shown in the viewer's time zone. With the day, since a network's clock may skip time.
  function showTimes(page) {
    const today = new Date().toDateString();
    for (const time of page.querySelectorAll("time")) {
      const moment = new Date(time.dateTime);
      const day = moment.toDateString();
      const clock = moment.toTimeString().slice(0, 8);
      time.textContent = day === today ? clock : `${day.slice(4, 10)}, ${clock}`;
    }
  }

  const token = (page) => page.querySelector("input[name=token]")?.value;
  const ours = token(document);

  function update(fresh) {
    if (token(fresh) !== ours) {
      location.reload(); // another program answers here now, with another page
      return;
    }
    showTimes(fresh);
    const focused = document.activeElement;
    const following = feeds.filter(follows);
    for (const now of document.querySelectorAll("[data-live]")) {
      const next = fresh.querySelector(`[data-live="${now.dataset.live}"]`);
      if (next && next.innerHTML !== now.innerHTML) now.replaceChildren(...next.childNodes);
    }
    const arrived = [];
    for (const list of document.querySelectorAll("[data-list]")) {
      const next = fresh.querySelector(`[data-list="${list.dataset.list}"]`);
      if (next) arrived.push(...merge(list, next));
    }
    if (focused && !focused.isConnected) {
      (document.getElementById(focused.id) ?? threads).focus({ preventScroll: true });
    }
    following.forEach(toEnd);
    if (arrived.length) news.textContent = arrived.join(". ");
  }

  // The item as the server sent it: without the mark of a new post, and with its details closed.
  function original(item) {
    const copy = item.cloneNode(true);
    copy.classList.remove("fresh");
    for (const details of copy.querySelectorAll("details")) details.open = false;
    return copy.outerHTML;
  }

  // Unchanged posts stay the same elements, so that they keep focus and selection.
  function merge(list, next) {
    const known = new Map([...list.children].map((item) => [item.dataset.key, item]));
    const arrived = [];
    let before = null;
    for (const item of [...next.children]) {
      const old = known.get(item.dataset.key);
      known.delete(item.dataset.key);
      const keep = old && original(old) === item.outerHTML ? old : item;
      if (!old) {
        item.classList.add("fresh");
        arrived.push(item.querySelector("h3").textContent.trim().replace(/\s+/g, " "));
      }
      const place = before ? before.nextSibling : list.firstChild;
      if (keep !== place) list.insertBefore(keep, place);
      if (old && old !== keep) old.remove();
      before = keep;
    }
    for (const left of known.values()) left.remove();
    return arrived;
  }

  let asking = false;
  let again = false;
  async function ask() {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      do {
        again = false;
        const answer = await fetch("/", { cache: "no-store" });
        if (answer.ok) update(parse(await answer.text()));
      } while (again);
    } catch {
      // the connection is lost; the event source reports it, and calls this again once it is back
    } finally {
      asking = false;
    }
  }

  document.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const body = new URLSearchParams(new FormData(form));
    try {
      const answer = await fetch(form.action, { method: "POST", body });
      const text = await answer.text();
      say(answer.ok ? "" : text);
      if (answer.ok) update(parse(text));
    } catch {
      say(ENDED);
    }
  });

  showTimes(document);
  feeds.forEach(toEnd);

  // A browser opens six connections to a host, and an event stream keeps one of them. A hidden
  // page closes its own.
  let events = null;
  function listen() {
    events?.close();
    events = null;
    if (document.hidden) return;
    events = new EventSource("/events");
    events.addEventListener("open", () => {
      say("");
      ask();
    });
    events.addEventListener("change", ask);
    events.addEventListener("error", () => say(ENDED));
  }
  document.addEventListener("visibilitychange", listen);
  listen();
})();
