// Entry point of the prebuilt extension: a webpack module federation container with the two functions below
// (https://webpack.js.org/concepts/module-federation/#dynamic-remote-containers). The rest is plain ES modules.
"use strict";

(() => {
  const here = document.currentScript.src;
  const PACKAGES = {
    application: "@jupyterlab/application",
    apputils: "@jupyterlab/apputils",
    coreutils: "@jupyterlab/coreutils",
    filebrowser: "@jupyterlab/filebrowser",
    fileeditor: "@jupyterlab/fileeditor",
    services: "@jupyterlab/services",
    ui: "@jupyterlab/ui-components",
    polling: "@lumino/polling",
    widgets: "@lumino/widgets",
  };
  let shared = {};

  // The loaded version, otherwise the newest, as webpack selects singletons.
  async function take(name) {
    const versions = Object.entries(shared[name] ?? {});
    if (!versions.length) throw new Error(`odahu-argo: this JupyterLab has no ${name}`);
    versions.sort(([one], [other]) => other.localeCompare(one, "en", { numeric: true }));
    const [, found] = versions.find(([, each]) => each.loaded) ?? versions[0];
    return (await found.get())();
  }

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB["odahu-argo"] = {
    init(scope) {
      shared = scope;
    },
    async get(module) {
      if (module !== "./extension") throw new Error(`odahu-argo has no module ${module}`);
      const names = Object.entries(PACKAGES);
      const found = await Promise.all(names.map(async ([short, name]) => [short, await take(name)]));
      const { makePlugin } = await import(new URL("plugin.js", here));
      const plugin = makePlugin(Object.fromEntries(found), new URL("style.css", here));
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
