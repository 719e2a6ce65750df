// JupyterLab extension: commands, menus and the panel.

import { makeClient } from "./client.js";
import { makeLog } from "./log.js";
import { makePanel } from "./panel.js";

const CATEGORY = "Trainings";
const MANIFEST = /\.(ya?ml|json)$/i;
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16"><g class="jp-icon3" fill="#616161">
<path d="M11.2 6.5h1.6v4.4l4.3 3.2-1 1.3-4.1-3.1-4.1 3.1-1-1.3 4.3-3.2z"/>
<circle cx="12" cy="5" r="3"/><circle cx="5.6" cy="17.6" r="3"/><circle cx="18.4" cy="17.6" r="3"/></g></svg>`;

export function makePlugin(lab, style) {
  return {
    id: "odahu-argo:plugin",
    description: "ODAHU's trainings: their states, the manifest that is open submitted, logs followed.",
    autoStart: true,
    requires: [lab.fileeditor.IEditorTracker],
    optional: [lab.apputils.ICommandPalette, lab.application.ILayoutRestorer, lab.filebrowser.IFileBrowserFactory],
    activate: (app, editors, palette, restorer, browsers) => {
      document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: style.href }));
      activate(lab, app, editors, palette, restorer, browsers);
    },
  };
}

function activate(lab, app, editors, palette, restorer, browsers) {
  const { Dialog, InputDialog, Notification, WidgetTracker, showDialog } = lab.apputils;
  const { commands, contextMenu, shell } = app;
  const icon = new lab.ui.LabIcon({ name: "odahu-argo:trainings", svgstr: ICON });
  const client = makeClient(lab);
  const run = (name, args) => commands.execute(`odahu-argo:${name}`, args);
  const panel = makePanel(lab, client, icon, (name, id) => run(name, { id }), goTo);
  const logs = new WidgetTracker({ namespace: "odahu-argo-logs" });

  // The manifest in the active editor.
  function opened() {
    const widget = editors.currentWidget;
    return widget && widget === shell.currentWidget && MANIFEST.test(widget.context.path) ? widget.context : null;
  }

  async function goTo(path, line) {
    const widget = await commands.execute("docmanager:open", { path });
    await widget.context.ready;
    const { editor } = widget.content;
    editor.setCursorPosition({ line: line - 1, column: 0 });
    editor.revealPosition({ line: line - 1, column: 0 });
    editor.focus();
  }

  // Asks the user to select a training or to confirm a new run of an existing one; null if the user cancels.
  async function send(document, isNew = true) {
    try {
      return (await client.submit(document, isNew)).id;
    } catch (refused) {
      if (refused.choose) {
        const title = "Which training?";
        const { value } = await InputDialog.getItem({ title, items: refused.choose, okLabel: "Submit" });
        return value ? send({ ...document, id: value }, isNew) : null;
      }
      if (refused.status !== 409 || !isNew) throw refused;
      return (await confirm("Run it anew?", `${refused.message}.`, "Run anew")) ? send(document, false) : null;
    }
  }

  async function confirm(title, body, label) {
    const buttons = [Dialog.cancelButton(), Dialog.warnButton({ label })];
    return (await showDialog({ title, body, buttons, defaultButton: 0 })).button.accept;
  }

  async function submit(path, text) {
    const document = { path: app.serviceManager.contents.localPath(path), text };
    panel.problems.clear();
    try {
      const id = await send(document);
      if (id === null) return;
      const actions = [{ label: "Follow its log", callback: () => run("follow", { id }) }];
      Notification.success(`Training ${id} was submitted`, { autoClose: 5000, actions });
      void panel.refresh();
    } catch (refused) {
      if (!refused.problems) throw refused;
      panel.problems.show(`${path} was not submitted`, refused.problems, document.path);
      shell.activateById(panel.widget.id);
    }
  }

  async function remove(id) {
    const body = "A run that goes on is stopped; its logs and its record go. Trained models stay.";
    if (!(await confirm(`Delete training ${id}?`, body, "Delete"))) return;
    try {
      await client.remove(id);
    } catch (refused) {
      panel.problems.show(`${id} was not deleted`, refused.problems);
    }
    void panel.refresh();
  }

  function follow(id) {
    let widget = logs.find((each) => each.training === id);
    if (!widget) {
      widget = makeLog(lab, client, id, icon);
      shell.add(widget, "main");
      void logs.add(widget);
    }
    shell.activateById(widget.id);
  }

  // The training of a command: from its arguments, or the row of the context menu.
  const meant = (args) => args.id ?? app.contextMenuHitTest((node) => node.dataset?.training !== undefined)?.dataset.training;
  const selected = () => browsers?.tracker.currentWidget?.selectedItems().next().value;
  const offered = {
    submit: {
      label: "Submit This Manifest as a Training",
      caption: "Run the training that the open document holds, saved or not",
      icon,
      isEnabled: () => opened() !== null,
      execute: () => opened() && submit(opened().path, opened().model.toString()),
    },
    "submit-file": {
      label: "Submit as a Training",
      icon,
      isEnabled: () => MANIFEST.test(selected()?.path ?? ""),
      execute: async () => {
        const { path } = selected();
        const { content } = await app.serviceManager.contents.get(path, { type: "file", format: "text" });
        await submit(path, content);
      },
    },
    show: { label: "Show Trainings", execute: () => shell.activateById(panel.widget.id) },
    follow: { label: "Follow Log", execute: (args) => follow(meant(args)) },
    page: { label: "Open Page", execute: (args) => window.open(client.page(meant(args)), "_blank", "noopener") },
    remove: { label: "Delete Training…", execute: (args) => remove(meant(args)) },
  };
  for (const [name, command] of Object.entries(offered)) commands.addCommand(`odahu-argo:${name}`, command);
  for (const name of ["submit", "show"]) palette?.addItem({ command: `odahu-argo:${name}`, category: CATEGORY });
  const inMenu = (name, selector, rank) => contextMenu.addItem({ command: `odahu-argo:${name}`, selector, rank });
  ["follow", "page", "remove"].forEach((name, rank) => inMenu(name, ".oa-row", rank));
  inMenu("submit", ".jp-FileEditor", 20);
  inMenu("submit-file", '.jp-DirListing-item[data-file-type="yaml"]', 20);
  app.docRegistry.addWidgetExtension("Editor", {
    createNew(widget, context) {
      if (!MANIFEST.test(context.path)) return;
      const made = new lab.ui.CommandToolbarButton({ commands, id: "odahu-argo:submit", label: "Submit training" });
      widget.toolbar.addItem("odahu-argo-submit", made);
      return made;
    },
  });

  const offer = () => {
    panel.offer(opened() ? lab.coreutils.PathExt.basename(opened().path) : null);
    commands.notifyCommandChanged("odahu-argo:submit");
  };
  shell.currentChanged?.connect(offer);
  editors.currentChanged.connect(offer);
  offer();
  shell.add(panel.widget, "left", { rank: 700 });
  restorer?.add(panel.widget, panel.widget.id);
  const id = (widget) => widget.training;
  void restorer?.restore(logs, { command: "odahu-argo:follow", args: (widget) => ({ id: id(widget) }), name: id });
}
