// A plug-in in JavaScript: reads the webhooks of Acme Ship, a deployment service that exists in
// this example only. `wit/source.wit` says what comes in and what may go out.
//
// Homeostat has proven the delivery and bounded it before this is asked; what is returned is
// checked after. Whatever is thrown here is kept with the delivery among the dead letters.

const STATUS = { started: "running", ok: "success", broken: "failure", stopped: "cancelled" };

/** An event that says nothing yet: the interface wants every field. */
const NOTHING = {
  id: null, status: null, subject: null, attempt: null, service: null, env: null, title: null,
  version: null, commit: null, previousVersion: null, branch: null, durationMs: null,
  latencyMs: null, signals: [], occurredAtMs: null, actor: null, url: null, run: null,
  deployment: null, pullRequest: null, fork: false, test: false, irreversible: false,
  attributes: [],
};

export const source = {
  read(delivery) {
    const told = parse(delivery.body);
    switch (told.type) {
      case "ping":
        return { tag: "ignored", val: "a ping" };
      case "deploy":
        return { tag: "events", val: [deployment(told)] };
      case "traffic":
        return { tag: "events", val: told.readings.map((reading) => observation(told, reading)) };
      default:
        // An error of the interface is thrown as its text.
        throw `deliveries of type ${JSON.stringify(told.type)} are not known`;
    }
  },
};

function parse(body) {
  try {
    return JSON.parse(body.tag === "text" ? body.val : "");
  } catch {
    throw "the body is not JSON";
  }
}

/** Milliseconds since 1970, or nothing where it is no time. */
function time(text) {
  const at = Date.parse(text);
  return at >= 0 ? at : null;
}

function deployment(told) {
  return {
    ...NOTHING,
    id: told.id,
    kind: "deployment",
    status: STATUS[told.outcome] ?? told.outcome,
    // Started and finished are two states of one deployment.
    subject: `deploy:${told.deploy}`,
    attempt: told.attempt ?? 1,
    service: told.app,
    env: told.stage,
    version: told.release,
    previousVersion: told.replaces ?? null,
    commit: told.sha ?? null,
    durationMs: told.seconds == null ? null : Math.round(told.seconds * 1000),
    occurredAtMs: time(told.at),
    actor: told.by ?? null,
    url: told.link ?? null,
    deployment: String(told.deploy),
    irreversible: told.migrates === true,
  };
}

function observation(told, reading) {
  return {
    ...NOTHING,
    kind: "observation",
    service: told.app,
    env: told.stage,
    version: reading.release ?? null,
    occurredAtMs: time(reading.at),
    signals: [{ name: "error-rate", value: reading.failed / reading.served, unit: "1", samples: reading.served }],
  };
}
