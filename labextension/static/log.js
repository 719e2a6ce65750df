// Tab with a training's log, followed until the training ends or the user stops it.

import { element, setText } from "./element.js";

const MOST = 5000; // lines that are shown
const BOTTOM = 4; // pixels from the end that still count as the end

export function makeLog(lab, client, id, icon) {
  const note = element("p", { class: "oa-log-note", hidden: true });
  const lines = element("div", { class: "oa-log-lines" });
  const status = element("span", { class: "oa-log-status", role: "status" });
  const content = new lab.widgets.Widget();
  content.addClass("oa-log");
  content.node.tabIndex = 0;
  for (const [name, value] of [["role", "log"], ["aria-live", "off"], ["aria-label", `Log of ${id}`]]) {
    content.node.setAttribute(name, value);
  }
  content.node.append(note, lines);

  let socket = null;
  let waiting = [];
  let passedOver = 0;

  function draw() {
    const drawn = waiting.slice(-MOST);
    const { node } = content;
    const isAtEnd = node.scrollHeight - node.scrollTop - node.clientHeight <= BOTTOM;
    passedOver += waiting.length - drawn.length;
    waiting = [];
    lines.append(...drawn.map(drawLine));
    for (; lines.childElementCount > MOST; passedOver += 1) lines.firstElementChild.remove();
    note.hidden = passedOver === 0;
    setText(note, `${passedOver.toLocaleString()} lines before are not shown`);
    if (isAtEnd) node.scrollTop = node.scrollHeight;
  }

  function hear(message) {
    if (message.problems) {
      for (const problem of message.problems) hear({ text: problem.message, isWrong: true });
      return;
    }
    if (!waiting.length) requestAnimationFrame(draw);
    waiting.push(message);
  }

  function follow() {
    lines.replaceChildren();
    waiting = [];
    passedOver = 0;
    const own = (socket = client.log(id));
    own.onmessage = ({ data }) => socket === own && data.split("\n").filter(Boolean).forEach((line) => hear(JSON.parse(line)));
    own.onclose = ({ code }) => socket === own && over(code === 1000 ? "complete" : "the connection to Jupyter was lost");
    tell("following");
  }

  function over(why) {
    socket?.close();
    socket = null;
    tell(why);
  }

  function tell(text) {
    setText(status, text);
    button.update();
  }

  const button = {
    widget: null,
    update() {
      const isFollowing = socket !== null;
      const label = isFollowing ? "Stop following" : "Follow";
      const made = new lab.ui.ToolbarButton({
        label,
        tooltip: isFollowing ? `Stop following the log of ${id}` : `Read the log of ${id} from its first line, and follow it`,
        icon: isFollowing ? lab.ui.stopIcon : lab.ui.runIcon,
        onClick: () => (socket ? over("stopped") : follow()),
      });
      const hadFocus = this.widget?.node.contains(document.activeElement);
      this.widget?.dispose();
      main.toolbar.insertItem(0, "follow", made);
      this.widget = made;
      if (hadFocus) requestAnimationFrame(() => made.node.querySelector("button, jp-button")?.focus());
    },
  };

  const main = new lab.apputils.MainAreaWidget({ content });
  main.id = `odahu-argo-log-${id}`;
  main.addClass("oa-log-tab");
  Object.assign(main.title, { label: `Log of ${id}`, caption: `Log of training ${id}`, icon, closable: true });
  main.toolbar.addItem("status", new lab.widgets.Widget({ node: status }));
  main.disposed.connect(() => over(""));
  main.training = id;
  follow();
  return main;
}

function drawLine({ step, text, isWrong }) {
  const kind = isWrong ? "oa-wrong" : step ? "oa-said" : "oa-told";
  return element("div", { class: `oa-line ${kind}` }, step ? element("span", { class: "oa-step" }, step) : null, text);
}
