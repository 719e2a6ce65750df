// Refreshes a page: replaces changed parts and appends new log lines. Pages work without it.
"use strict";

const main = document.getElementById("main");
const state = document.getElementById("live-state");
const log = document.getElementById("log");
const follow = document.getElementById("follow");
const MAX_PAUSE_SECONDS = 30;
let failures = 0;

function showConnection(text, isConnected) {
  if (state.textContent !== text) state.textContent = text;
  state.dataset.connected = isConnected;
}

function isSelected(element) {
  const selection = document.getSelection();
  return !selection.isCollapsed && selection.rangeCount > 0 && selection.getRangeAt(0).intersectsNode(element);
}

// Replaces an element and restores the keyboard focus.
function replaceElement(before, after) {
  const focusable = "a, button, input, [tabindex]";
  const index = [...before.querySelectorAll(focusable)].indexOf(document.activeElement);
  before.replaceWith(after);
  if (index >= 0) after.querySelectorAll(focusable)[index]?.focus({ preventScroll: true });
}

async function refresh() {
  const response = await fetch(main.dataset.part, { signal: AbortSignal.timeout(20000) });
  if (response.status === 401 || response.status === 404) return location.reload();
  if (!response.ok) throw new Error(`status ${response.status}`);
  const update = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const after of update.querySelectorAll("[data-live]")) {
    const before = document.getElementById(after.id);
    if (before && !before.isEqualNode(after) && !isSelected(before)) replaceElement(before, document.adoptNode(after));
  }
  const headline = document.getElementById("headline");
  if (headline) document.title = headline.dataset.title;
  if (headline && headline.dataset.isLive === "true") followLog();
}

async function refreshRepeatedly() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * pauseSeconds()));
    if (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
    try {
      await refresh();
      failures = 0;
      showConnection("Live", true);
    } catch {
      if (failures++ === 0) showConnection(`Disconnected since ${new Date().toLocaleTimeString()}`, false);
    }
  }
}

function pauseSeconds() {
  const hasEnded = document.getElementById("headline")?.dataset.isLive === "false";
  return Math.min(MAX_PAUSE_SECONDS, Number(main.dataset.every) * 2 ** failures * (hasEnded ? 4 : 1));
}

let isFollowing = false;

async function followLog() {
  if (isFollowing) return;
  isFollowing = true;
  const controller = new AbortController();
  const abortIfHidden = () => document.hidden && controller.abort();
  document.addEventListener("visibilitychange", abortIfHidden);
  try {
    const response = await fetch(log.dataset.follow, { signal: controller.signal });
    if (response.ok) await append(response.body.pipeThrough(new TextDecoderStream()).getReader());
  } catch {
    // The next refresh retries.
  } finally {
    document.removeEventListener("visibilitychange", abortIfHidden);
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
    log.append(...lines.slice(-log.dataset.most).map(createLine));
    while (log.childElementCount > log.dataset.most) log.firstElementChild.remove();
    if (follow.checked) log.scrollTop = log.scrollHeight;
  }
}

function createLine(text) {
  const [step, ...rest] = text.split(" | ");
  const element = document.createElement("div");
  element.className = "line";
  for (const [name, part] of [["step", rest.length ? step : ""], ["text", rest.length ? rest.join(" | ") : text]]) {
    const span = document.createElement("span");
    span.className = name;
    span.textContent = part;
    element.append(span);
  }
  return element;
}

if (main.dataset.part && state) {
  showConnection("Live", true);
  refreshRepeatedly();
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
