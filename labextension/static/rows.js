// List of trainings. Rows are updated in place to keep the keyboard focus.

import { element, iconButton, setText } from "./element.js";

const UNITS = [["d", 86400], ["h", 3600], ["min", 60]];

export function age(created, now = Date.now()) {
  if (!created) return "";
  const seconds = Math.max(0, Math.floor((now - Date.parse(created)) / 1000));
  for (const [unit, size] of UNITS) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
  return seconds < 5 ? "just now" : `${seconds} s ago`;
}

export function passes(training, filter) {
  const { id, state, reason, message, model, version } = training;
  const text = [id, state, reason, message, model, version].join(" ").toLowerCase();
  return filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

// Calls `act(name, id)` for follow, page and remove. Arrow keys, Home and End move between rows; Delete removes.
export class Rows {
  constructor(lab, act) {
    this.lab = lab;
    this.act = act;
    this.rows = new Map();
    this.node = element("ul", {
      class: "oa-rows",
      role: "list",
      "aria-label": "Trainings",
      onkeydown: (event) => this.onKey(event),
      onfocusin: (event) => this.makeCurrent(event.target.closest(".oa-row")),
    });
  }

  show(trainings) {
    for (const [id, row] of this.rows) if (!trainings.some((each) => each.id === id)) this.drop(id, row);
    const focused = document.activeElement;
    trainings.forEach((training, index) => {
      const row = this.rows.get(training.id) ?? this.add(training.id);
      fill(row, training);
      if (this.node.children[index] !== row) this.node.insertBefore(row, this.node.children[index] ?? null);
    });
    if (focused !== document.activeElement && this.node.contains(focused)) focused.focus({ preventScroll: true });
    if (!this.node.querySelector('[tabindex="0"]')) this.makeCurrent(this.node.firstElementChild);
  }

  focus() {
    this.node.querySelector('.oa-name[tabindex="0"]')?.focus();
  }

  add(id) {
    const { launchIcon, deleteIcon } = this.lab.ui;
    const follow = () => this.act("follow", id);
    const row = element(
      "li",
      { class: "oa-row", "data-training": id },
      element("button", { type: "button", class: "oa-name", title: `Follow the log of ${id}`, onclick: follow }, id),
      element("span", { class: "oa-age" }),
      element("span", { class: "oa-state" }),
      element("span", { class: "oa-model" }),
      element("span", { class: "oa-why" }),
      element(
        "span",
        { class: "oa-actions" },
        iconButton(launchIcon ?? this.lab.ui.linkIcon, `Open the page of ${id}`, () => this.act("page", id)),
        iconButton(deleteIcon, `Delete ${id}`, () => this.act("remove", id)),
      ),
    );
    this.rows.set(id, row);
    for (const button of row.querySelectorAll("button")) button.tabIndex = -1;
    return row;
  }

  drop(id, row) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    const hadFocus = row.contains(document.activeElement);
    row.remove();
    this.rows.delete(id);
    if (hadFocus) next?.querySelector(".oa-name").focus();
  }

  makeCurrent(row) {
    if (!row) return;
    for (const button of this.node.querySelectorAll("button")) button.tabIndex = row.contains(button) ? 0 : -1;
  }

  onKey(event) {
    const row = event.target.closest(".oa-row");
    const { firstElementChild: first, lastElementChild: last } = this.node;
    const { previousElementSibling: before, nextElementSibling: after } = row;
    const next = { ArrowUp: before, ArrowDown: after, Home: first, End: last }[event.key];
    if (event.key === "Delete") this.act("remove", row.dataset.training);
    else if (next) next.querySelector(".oa-name").focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function fill(row, training) {
  const { state, reason, message, model, version, created } = training;
  const set = (name, text) => setText(row.querySelector(`.oa-${name}`), text);
  row.dataset.state = state;
  set("age", age(created));
  set("state", state);
  set("model", [model, version].filter(Boolean).join(" "));
  const first = message.split("\n")[0];
  set("why", state === "succeeded" ? "" : [reason, first].filter(Boolean).join(": "));
  row.querySelector(".oa-why").title = message;
  row.querySelector(".oa-age").title = created ? new Date(created).toLocaleString() : "";
}
