// Client of the Jupyter server's routes below /odahu-argo.

export class Refused extends Error {
  constructor(status, { problems, choose }) {
    super(problems.map((problem) => problem.message).join("\n"));
    Object.assign(this, { status, problems, choose });
  }
}

export function makeClient(lab) {
  const { ServerConnection } = lab.services;
  const settings = ServerConnection.makeSettings();
  const path = (...parts) => ["odahu-argo", "trainings", ...parts.map(encodeURIComponent)].join("/");
  const address = (...parts) => lab.coreutils.URLExt.join(settings.baseUrl, path(...parts));

  async function ask(method, url, body) {
    let answer;
    try {
      answer = await ServerConnection.makeRequest(url, { method, body: body && JSON.stringify(body) }, settings);
    } catch {
      throw new Refused(0, { problems: [{ message: "Jupyter's server does not answer" }] });
    }
    const found = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Refused(answer.status, found.problems ? found : { problems: [unexplained(answer, found)] });
    return found;
  }

  return {
    // The newest trainings: at most `size`, and those whose texts contain the words of `filter`.
    list: (size, filter) => ask("GET", `${address()}?${new URLSearchParams({ no_track_activity: 1, size, filter })}`),
    submit: (document, isNew) => ask(isNew ? "POST" : "PUT", address(), document),
    remove: (id) => ask("DELETE", address(id)),
    page: (id) => address(id, "page"),
    log(id) {
      const url = new URL(lab.coreutils.URLExt.join(settings.wsUrl, path(id, "log")));
      if (settings.appendToken && settings.token) url.searchParams.set("token", settings.token);
      return new settings.WebSocket(url.href);
    },
  };
}

function unexplained(answer, found) {
  if (answer.status === 404) {
    return {
      message: "Jupyter's server knows no trainings",
      hint: "jupyter server extension enable odahu_argo.jupyter, and start it again",
    };
  }
  return { message: `Jupyter's server answers ${answer.status}: ${found.message ?? answer.statusText}` };
}
