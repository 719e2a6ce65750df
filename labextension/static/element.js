// Elements without markup: what others have written can only become text.

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

// Changes text only where it differs, so that a selection stays and a screen reader is silent.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
