// Whether the log's events tell what a certificate states (docs/formats/bundle.md, Events).

import { uuidOf } from "./identifiers.mjs";

/** Each step of an erasure: the event, the time that the certificate gives for it, and the role that takes it. */
const STEPS = [
  ["vault.shredding.fenced", "fenced_at", "releaser"],
  ["vault.shredding.drained", "drained_at", "eraser"],
  ["vault.shredding.ordered", "ordered_at", "eraser"],
  ["vault.shredding.keys_destroyed", "destroyed_at", "eraser"],
  ["vault.shredding.swept", "swept_at", "eraser"],
  ["vault.shredding.verified", "verified_at", "attester"],
];

/** What the events contradict, or do not tell, of the certificate with this predicate; null when nothing. */
export function storyProblem(events, predicate) {
  const erasure = uuidOf(predicate.get("erasure_id"));
  const roles = predicate.get("roles");
  const only = (action) => {
    const found = events.filter((one) => one.get("erasure") === erasure && one.get("action") === action);
    return found.length === 1 ? found[0] : null;
  };
  const steps = STEPS.map(([action, time, role]) => ({ event: only(action), time, role }));
  const released = only("governance.request.released");
  if (released === null || steps.some(({ event }) => event === null)) {
    return "a step of the erasure is told not at all or more than once";
  }
  if (steps.some(({ event, time }) => event.get("at") !== predicate.get(time))) {
    return "a step was taken at another time";
  }
  const isBy = ({ event, role }) => event.get("actor") === roles.get(role);
  if (![...steps, { event: released, role: "releaser" }].every(isBy)) return "a step was taken by another";
  const decided = decision(events, released, predicate);
  if (decided === null) return "the request was not drafted and approved as stated";
  const controller = uuidOf(predicate.get("controller_id"));
  const all = [...decided, released, ...steps.map(({ event }) => event)];
  if (all.some((event) => event.get("controller") !== controller)) return "a step is another controller's";
  const verified = steps.at(-1).event;
  const isInOrder = predicate.get("decided_at") <= released.get("at") && released.get("at") <= verified.get("at");
  return isInOrder ? null : "the steps are not in the order of time";
}

/** The events by which the release was drafted and approved; null when they are not those stated. */
function decision(events, released, predicate) {
  const details = released.get("details");
  const isMass = details.has("mass_act");
  const [kind, name] = isMass ? ["mass-act", "mass_act"] : ["request", "request"];
  if (!details.has("request")) return null;
  const last = (verb, isDue) =>
    latest(
      events.filter(
        (one) =>
          one.get("action") === `governance.${kind}.${verb}` &&
          one.get("details").get(name) === details.get(name) &&
          isDue(one.get("at")),
      ),
    );
  const roles = predicate.get("roles");
  const approved = last("approved", () => true);
  const drafted = last("drafted", (at) => at <= predicate.get("decided_at"));
  const areBy = (found, role) => found.length > 0 && found.every((one) => one.get("actor") === roles.get(role));
  const isThen = approved.every((one) => one.get("at") === predicate.get("decided_at"));
  return isThen && areBy(approved, "approver") && areBy(drafted, "drafter") ? [...drafted, ...approved] : null;
}

/** The last of them; all that are last at once, as none of those is more it than the others. */
function latest(events) {
  const times = events.map((one) => one.get("at")).sort();
  return events.filter((one) => one.get("at") === times.at(-1));
}
