// Others' libraries, asked over standard input: one JSON question a line, one JSON answer a line.
import { createInterface } from "node:readline";
import { sign, verify } from "@octokit/webhooks-methods";
import { CloudEvent, HTTP } from "cloudevents";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

// The library reads a body as JSON once it is verified: that it is none is another question.
const verified = (check) => {
  try {
    check();
    return true;
  } catch (error) {
    return !(error instanceof WebhookVerificationError);
  }
};

const answers = {
  "github-sign": ({ secret, body }) => sign(secret, body),
  "github-verify": ({ secret, body, signature }) => verify(secret, body, signature),
  "standard-sign": ({ secret, id, seconds, body }) =>
    new Webhook(secret).sign(id, new Date(seconds * 1000), body),
  "standard-verify": ({ secret, headers, body }) =>
    verified(() => new Webhook(secret).verify(body, headers)),
  "cloudevent": ({ mode, event }) => {
    const made = new CloudEvent(event);
    const message = mode === "binary" ? HTTP.binary(made) : HTTP.structured(made);
    const body = typeof message.body === "string" ? message.body : JSON.stringify(message.body);
    return { headers: message.headers, body };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  const answer = await answers[question.ask](question);
  process.stdout.write(`${JSON.stringify({ answer })}\n`);
}
