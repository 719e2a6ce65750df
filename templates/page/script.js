// Refreshes a page: replaces changed parts and appends new log lines. Pages work without it.
"use strict";

const main = document.getElementById("main");
const state = document.getElementById("live-state");
const log = document.getElementById("log");
const follow = document.getElementById("follow");
const LONGEST_PAUSE = 30;
let failures = 0;

function tell(text, isWell) {
  if (state.textContent !== text) state.textContent = text;
  state.dataset.well = isWell;
}

function isSelected(element) {
  const selection = document.getSelection();
  return !selection.isCollapsed && selection.rangeCount > 0 && selection.getRangeAt(0).intersectsNode(element);
}

// Replaces an element and restores the keyboard focus.
function exchange(before, after) {
  const reachable = "a, button, input, [tabindex]";
  const place = [...before.querySelectorAll(reachable)].indexOf(document.activeElement);
  before.replaceWith(after);
  if (place >= 0) after.querySelectorAll(reachable)[place]?.focus({ preventScroll: true });
}

async function refresh() {
  const answer = await fetch(main.dataset.part, { signal: AbortSignal.timeout(20000) });
  if (answer.status === 401 || answer.status === 404) return location.reload();
  if (!answer.ok) throw new Error(`answered with ${answer.status}`);
  const found = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const after of found.querySelectorAll("[data-live]")) {
    const before = document.getElementById(after.id);
    if (before && !before.isEqualNode(after) && !isSelected(before)) exchange(before, document.adoptNode(after));
  }
  const headline = document.getElementById("headline");
  if (headline) document.title = headline.dataset.title;
  if (headline && headline.dataset.isLive === "true") followLog();
}

async function keepUp() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * pause()));
    if (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
    try {
      await refresh();
      failures = 0;
      tell("Live", true);
    } catch {
      if (failures++ === 0) tell(`Out of reach since ${new Date().toLocaleTimeString()}`, false);
    }
  }
}

function pause() {
  const hasEnded = document.getElementById("headline")?.dataset.isLive === "false";
  return Math.min(LONGEST_PAUSE, Number(main.dataset.every) * 2 ** failures * (hasEnded ? 4 : 1));
}

let isFollowing = false;

async function followLog() {
  if (isFollowing) return;
  isFollowing = true;
  const over = new AbortController();
  const leave = () => document.hidden && over.abort();
  document.addEventListener("visibilitychange", leave);
  try {
    const answer = await fetch(log.dataset.follow, { signal: over.signal });
    if (answer.ok) await append(answer.body.pipeThrough(new TextDecoderStream()).getReader());
  } catch {
    // The next refresh retries.
  } finally {
    document.removeEventListener("visibilitychange", leave);
    isFollowing = false;
  }
}

async function append(reader) {
  let rest = "";
  let isFirst = true;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    if (lines.length === 0) continue;
    if (isFirst) log.replaceChildren();
    isFirst = false;
    log.append(...lines.slice(-log.dataset.most).map(line));
    while (log.childElementCount > log.dataset.most) log.firstElementChild.remove();
    if (follow.checked) log.scrollTop = log.scrollHeight;
  }
}

function line(text) {
  const [step, ...rest] = text.split(" | ");
  const shown = document.createElement("div");
  shown.className = "line";
  for (const [name, part] of [["step", rest.length ? step : ""], ["text", rest.length ? rest.join(" | ") : text]]) {
    const span = document.createElement("span");
    span.className = name;
    span.textContent = part;
    shown.append(span);
  }
  return shown;
}

if (main.dataset.part && state) {
  tell("Live", true);
  keepUp();
  if (log) {
    follow.parentElement.hidden = false;
    log.scrollTop = log.scrollHeight;
    log.addEventListener("scroll", () => {
      follow.checked = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
    });
    follow.addEventListener("change", () => {
      if (follow.checked) log.scrollTop = log.scrollHeight;
    });
    if (document.getElementById("headline").dataset.isLive === "true") followLog();
  }
}
