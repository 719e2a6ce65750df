// List of problems with file, line and field; links open the line in the submitted document.

import { element, iconButton } from "./element.js";

export class ProblemList {
  constructor(lab, goTo) {
    this.lab = lab;
    this.goTo = goTo;
    this.node = element("section", { class: "oa-problems", role: "alert", "aria-label": "Problems" });
    this.clear();
  }

  clear() {
    this.node.replaceChildren();
    this.node.hidden = true;
  }

  focus() {
    this.node.querySelector("li button, button")?.focus();
  }

  show(title, problems, path = null) {
    const close = iconButton(this.lab.ui.closeIcon, "Put the problems away", () => this.clear());
    this.node.hidden = false;
    this.node.replaceChildren(
      element("div", { class: "oa-problems-head" }, element("h3", {}, title), close),
      element("ul", {}, ...problems.map((problem) => this.item(problem, path))),
    );
  }

  item({ message, file, line, field, hint }, path) {
    const place = [file, line].filter(Boolean).join(":");
    const leads = line && file === path;
    const go = () => this.goTo(path, line);
    return element(
      "li",
      {},
      place && (leads ? element("button", { type: "button", class: "oa-place", onclick: go }, place) : element("b", {}, place)),
      element("span", {}, field ? element("code", {}, field) : null, field ? ": " : "", message),
      hint && element("span", { class: "oa-hint" }, `hint: ${hint}`),
    );
  }
}
