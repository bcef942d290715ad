// What is particular to receipts (docs/formats/receipt.md): whether the statement agrees with itself,
// and which events of the log name it.

import { sha256, toHex } from "./bytes.mjs";
import { uuidOf } from "./identifiers.mjs";
import { isDate } from "./meaning.mjs";
import { isReceipt, isReceiptStatement, RECEIPT_TYPE, receiptKind } from "./receipt_shape.mjs";
import { canonical } from "./strict.mjs";

export const format = RECEIPT_TYPE;
export const hasShape = isReceipt;
export const isStated = isReceiptStatement;
export const kindOf = receiptKind;
export const partsOf = (log) => log.get("entries");

/** Whoever holds the key and is named may sign a receipt. */
export const signerProblem = () => null;

const digestOf = async (value) => toHex(await sha256(canonical(value)));
const areSorted = (values) => values.every((value, at) => at === 0 || values[at - 1] <= value);

/** What in the statement contradicts the rest of it; null when nothing does. */
export async function contradiction(statement) {
  const predicate = statement.get("predicate");
  const facts = predicate.get("facts");
  const [subject] = statement.get("subject");
  if (subject.get("digest").get("sha256") !== (await digestOf(facts))) {
    return "the subject of the statement is not the facts";
  }
  if (!datesIn(predicate).every(isDate)) return "a time is no date of the calendar";
  if (predicate.has("status") && facts.get("decision") !== "given") {
    return "only a consent that was given has a place in a status list";
  }
  if (facts.has("acts") && !areSorted(facts.get("acts").map((act) => act.get("at")))) {
    return "the acts are not in order of time";
  }
  return facts.has("opening") ? leaseProblem(facts) : null;
}

/** Every instant and day in the value, by what its member is called. */
function datesIn(value) {
  if (Array.isArray(value)) return value.flatMap(datesIn);
  if (!(value instanceof Map)) return [];
  return [...value].flatMap(([name, part]) =>
    typeof part === "string" ? (/(^at|_at|_on)$/.test(name) ? [part] : []) : datesIn(part),
  );
}

function leaseProblem(facts) {
  const [opening, closing] = [facts.get("opening"), facts.get("closing")];
  if (!areSorted(opening.get("fields").map((one) => one.get("category")))) {
    return "the fields are not in the order of their categories";
  }
  const isSame = closing === null || closing.get("lease_id") === opening.get("lease_id");
  return isSame ? null : "another lease was closed than was opened";
}

/** Whether the events are those that name this very document, in order. */
export async function areOf(events, predicate) {
  const facts = predicate.get("facts");
  const controller = uuidOf((facts.get("opening") ?? facts).get("controller_id"));
  const wanted = await awaited(facts);
  return (
    wanted.length === events.length &&
    wanted.every((one, at) => events[at].get("controller") === controller && isSuch(events[at], one))
  );
}

/** The members that each event has to have, `details` by their names. */
async function awaited(facts) {
  if (facts.has("acts")) return facts.get("acts").map((act) => awaitedOfAct(act, facts));
  if (facts.has("opening")) return awaitedOfLease(facts);
  return [
    {
      action: `governance.consent.${facts.get("decision")}`,
      actor: facts.get("recorded_by"),
      at: facts.get("recorded_at"),
      details: { facts: await digestOf(facts) },
    },
  ];
}

function awaitedOfAct(act, facts) {
  const isOfRequest = act.get("action").startsWith("governance.request.");
  return {
    ...Object.fromEntries(act),
    details: isOfRequest ? { request: facts.get("request_id") } : { mass_act: facts.get("mass_act") },
  };
}

async function awaitedOfLease(facts) {
  const [opening, closing] = [facts.get("opening"), facts.get("closing")];
  const one = async (action, at, part) => ({
    action,
    actor: opening.get("client_id"),
    at,
    details: { facts: await digestOf(part) },
  });
  const opened = await one("governance.lease.opened", opening.get("opened_at"), opening);
  if (closing === null) return [opened];
  return [opened, await one("governance.lease.closed", closing.get("closed_at"), closing)];
}

// What is null in the facts is in no event: a mass act that there was none of names nothing.
function isSuch(event, { details, ...members }) {
  return (
    Object.entries(members).every(([name, value]) => event.get(name) === value) &&
    Object.entries(details).every(([name, value]) => value !== null && event.get("details").get(name) === value)
  );
}
