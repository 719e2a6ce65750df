// Creates elements from text only, so that user content cannot become markup.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function iconButton(icon, label, onclick) {
  const drawn = icon.element({ elementPosition: "center", elementSize: "normal", tag: "span" });
  drawn.setAttribute("aria-hidden", "true");
  return element("button", { type: "button", class: "oa-icon-button", title: label, "aria-label": label, onclick }, drawn);
}

// Changes text only if it differs, to keep selections and not to trigger screen readers.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
