// Whether a certificate's statement of the right shape agrees with itself; what is wrong, in plain words.

import { EFFECTS, WORST } from "./texts.mjs";
import { TIMES } from "./shape.mjs";

/** Problems of a statement; none when it agrees with itself. */
export function problems(statement) {
  const predicate = statement.get("predicate");
  return [
    ...times(predicate),
    ...shares(statement, predicate),
    ...roles(predicate),
    ...end(predicate),
  ];
}

/** Whether the day exists: February has no 30th. */
export function isDate(text) {
  const [year, month, day] = text.slice(0, 10).split("-").map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return year > 0 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

// Instants are texts of one width in UTC: they compare as times do.
function times(predicate) {
  const found = TIMES.filter((name) => !isDate(predicate.get(name))).map(
    (name) => `${name} is no date of the calendar`,
  );
  for (let at = 1; at < TIMES.length; at += 1) {
    if (predicate.get(TIMES[at]) < predicate.get(TIMES[at - 1])) {
      found.push(`${TIMES[at]} is before ${TIMES[at - 1]}`);
    }
  }
  return found;
}

function shares(statement, predicate) {
  const found = [];
  const held = predicate.get("shares");
  const digests = held.map((share) => share.get("share"));
  const named = statement.get("subject");
  const inOrder =
    named.length === digests.length &&
    named.every(
      (one, at) =>
        one.get("name") === `key-share/${at + 1}` && one.get("digest").get("sha256") === digests[at],
    );
  if (!inOrder) found.push("the subjects of the statement are not the key shares, in order");
  if (new Set(digests).size !== digests.length) found.push("a key share stands twice");
  const states = new Set(held.map((share) => share.get("state")));
  const worst = WORST.find((state) => states.has(state));
  if (predicate.get("effect") !== EFFECTS[predicate.get("scope").get("kind")][worst]) {
    found.push("the effect claimed is not that of the key shares' states");
  }
  const dates = held.map((share) => share.get("destroyed_at"));
  if (dates.some((text) => text !== null && !isDate(text))) {
    found.push("a key share's time is no date of the calendar");
  }
  const nodes = predicate.get("nodes");
  if (new Set(nodes.map((node) => node.get("node"))).size !== nodes.length) {
    found.push("a node of the key store stands twice");
  }
  if (nodes.every((node) => node.get("state") !== "read")) found.push("no node of the key store was read");
  return found;
}

function roles(predicate) {
  const given = predicate.get("roles");
  const isPart = given.has("requesters");
  if (isPart === (predicate.get("scope").get("kind") === "subject")) {
    return ["the roles are not those of a certificate of this scope"];
  }
  const held = [...given].flatMap(([name, who]) => (name === "requesters" ? who : [who]));
  return new Set(held).size === held.length ? [] : ["two roles were held by one"];
}

function end(predicate) {
  const isFinal = predicate.get("kind") === "final";
  const until = predicate.get("irrecoverable_from");
  if (isFinal !== (until.get("state") === "established")) {
    return ["only a final certificate says from when nothing can be recovered"];
  }
  if (isFinal !== predicate.has("interim")) {
    return ["a final certificate, and only it, refers to the interim one"];
  }
  return isFinal ? inventory(predicate, until) : [];
}

function inventory(predicate, until) {
  const ends = until.get("inventory").map((item) => item.get("expires_at"));
  if (![until.get("at"), ...ends].every(isDate)) {
    return ["a time of the backup inventory is no date of the calendar"];
  }
  const last = [predicate.get("destroyed_at"), ...ends].reduce((one, two) => (two > one ? two : one));
  if (until.get("at") !== last) {
    return ["the end of recoverability is not the latest time of the inventory"];
  }
  if (until.get("at") > predicate.get("issued_at")) {
    return ["the certificate is final before the last copy expired"];
  }
  return [];
}
