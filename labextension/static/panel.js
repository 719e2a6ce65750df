// Side bar panel with trainings and their states, refreshed while visible.

import { element, iconButton, setText } from "./element.js";
import { ProblemList } from "./problems.js";
import { Rows, passes } from "./rows.js";

const EVERY = 2000;
const LONGEST_PAUSE = 30000;
const PAGE = 100; // trainings that are loaded first, and with each "Show more"
const MOST = 1000;
const TYPING_PAUSE = 250; // after the last key in the filter

// `act(name, id)` executes submit, follow, page and remove; `goTo(path, line)` opens a line of a document.
export function makePanel(lab, client, icon, act, goTo) {
  const rows = new Rows(lab, act);
  const problems = new ProblemList(lab, goTo);
  const place = element("p", { class: "oa-where" });
  const status = element("p", { class: "oa-status", role: "status" });
  const empty = element("p", { class: "oa-empty", hidden: true });
  const submit = element("button", { type: "button", class: "oa-submit", onclick: () => act("submit") });
  const filter = element("input", {
    type: "search",
    class: "oa-filter",
    placeholder: "Filter by id, state, model …",
    "aria-label": "Filter trainings",
    maxlength: 200,
    oninput: () => {
      draw();
      clearTimeout(typing);
      if (total > size) typing = setTimeout(() => poll.refresh(), TYPING_PAUSE);
    },
  });
  const showMore = () => {
    size = Math.min(MOST, size + PAGE);
    void poll.refresh();
  };
  const more = element("button", { type: "button", class: "oa-more", hidden: true, onclick: showMore });
  let trainings = [];
  let matching = 0;
  let total = 0;
  let live = 0;
  let size = PAGE;
  let typing = 0;
  let states = null;

  const panel = new lab.widgets.Widget();
  panel.id = "odahu-argo";
  panel.title.icon = icon;
  panel.title.caption = "Trainings";
  panel.addClass("oa-panel");
  panel.node.setAttribute("role", "region");
  panel.node.setAttribute("aria-label", "Trainings");
  panel.node.append(
    element(
      "header",
      { class: "oa-head" },
      element("h2", {}, "Trainings"),
      place,
      iconButton(lab.ui.refreshIcon, "Refresh", () => poll.refresh()),
    ),
    element("div", { class: "oa-tools" }, submit, filter),
    problems.node,
    status,
    element("div", { class: "oa-scroll" }, empty, rows.node, more),
  );

  function draw() {
    const shown = trainings.filter((training) => passes(training, filter.value));
    rows.show(shown);
    empty.hidden = shown.length > 0 || states === null;
    setText(empty, total ? "No training passes the filter." : "No trainings yet. Open a manifest, and submit it.");
    const rest = matching - trainings.length;
    more.hidden = rest <= 0;
    more.disabled = size >= MOST;
    setText(more, `${more.disabled ? "" : "Show more: "}${rest.toLocaleString()} older training${rest === 1 ? "" : "s"}`);
  }

  function tellChanges() {
    const before = states;
    states = new Map([...(before ?? []), ...trainings.map((training) => [training.id, training.state])]);
    // A training that a longer list or another filter reveals has not changed.
    const changed = trainings.filter(({ id, state }) => (before?.has(id) ? before.get(id) !== state : before && isLive(state)));
    if (changed.length) setText(status, changed.map(({ id, state }) => `${id} is ${state}`).join(", "));
    else if (!before || status.dataset.wrong) setText(status, counted(total, live));
    delete status.dataset.wrong;
  }

  async function refresh() {
    try {
      // The server filters only if the panel does not have all trainings.
      const found = await client.list(size, total > size ? filter.value.trim() : "");
      ({ trainings, matching, total, live } = found);
      setText(place, `on ${found.location}`);
      tellChanges();
      draw();
    } catch (refused) {
      const [{ message, hint }] = refused.problems ?? [{ message: String(refused) }];
      status.dataset.wrong = "true";
      setText(status, hint ? `${message} (${hint})` : message);
      throw refused;
    }
  }

  const poll = new lab.polling.Poll({
    name: "odahu-argo:trainings",
    factory: refresh,
    frequency: { interval: EVERY, backoff: true, max: LONGEST_PAUSE },
    standby: () => document.hidden || !panel.isVisible,
  });
  panel.onAfterShow = () => void poll.refresh();
  panel.onActivateRequest = () => (problems.node.hidden ? (rows.rows.size ? rows : filter) : problems).focus();
  panel.disposed.connect(() => poll.dispose());

  return {
    widget: panel,
    problems,
    refresh: () => poll.refresh(),
    // The document to submit; null if none is open.
    offer(name) {
      submit.disabled = name === null;
      setText(submit, name === null ? "Open a manifest to submit it" : `Submit ${name}`);
    },
  };
}

function isLive(state) {
  return state === "running" || state === "scheduling";
}

function counted(total, live) {
  const all = `${total.toLocaleString()} training${total === 1 ? "" : "s"}`;
  return live ? `${all}, ${live.toLocaleString()} going on` : all;
}
