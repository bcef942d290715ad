// Checks an erasure certificate offline: what `examine` finds out. Written from docs/formats/ beside
// the Python verifier, with which it must agree on every file.

import { fromBase64, fromHex, isSigned, joined, same, sha256, toHex, utf8 } from "./bytes.mjs";
import * as log from "./log.mjs";
import { problems } from "./meaning.mjs";
import { FILE_TYPE, isFile, isKeys, isStatement } from "./shape.mjs";
import { canonical, NotStrict, read } from "./strict.mjs";

const KIND = "application/vnd.in-toto+json";

/**
 * The verdict on the bytes of a certificate file, with those of the published keys document if given:
 * `{verdict, level, keysFrom, checks: [[name, problem or null]], reason, predicate, entry}`.
 */
export async function examine(content, keysContent = null) {
  const report = { verdict: "invalid", level: null, keysFrom: null, checks: [], reason: null };
  try {
    await run(report, content, keysContent);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    if (error.reason !== null) Object.assign(report, { verdict: "unreadable", reason: error.reason });
  }
  return report;
}

/** No more can be checked; a reason makes the file unreadable. */
class Stop extends Error {
  constructor(reason = null) {
    super();
    this.reason = reason;
  }
}

async function run(report, content, keysContent) {
  const file = readable(content, "");
  if (!(file instanceof Map) || file.get("format") !== FILE_TYPE) {
    throw new Stop("the file is not an erasure certificate of this format");
  }
  const keys = known(report, file, keysContent);
  must(report, "shape of the file", isFile(file) ? null : "the file has not the shape prescribed");
  const payload = fromBase64(file.get("envelope").get("payload"));
  const statement = stated(report, payload);
  const predicate = statement.get("predicate");
  const [problem, holders] = await signature(file.get("envelope"), payload, keys);
  const [contradiction] = problems(statement);
  const passed = [
    check(report, "signature", problem),
    check(report, "agreement of the statement with itself", contradiction ?? null),
    check(report, "signer", signer(predicate, holders, keys)),
  ];
  if (passed.includes(false)) throw new Stop();
  report.predicate = predicate;
  if (file.has("log")) report.entry = await logged(report, file.get("log"), predicate, payload, keys);
  report.verdict = "valid";
  report.level = file.has("log") ? 1 : 0;
}

function check(report, name, problem) {
  report.checks.push([name, problem]);
  return problem === null;
}

function must(report, name, problem) {
  if (!check(report, name, problem)) throw new Stop();
}

function readable(content, before) {
  try {
    return read(content);
  } catch (error) {
    if (error instanceof NotStrict) throw new Stop(before + error.message);
    throw error;
  }
}

/** The keys to check with, by id. */
function known(report, file, keysContent) {
  report.keysFrom = keysContent === null ? "file" : "given";
  const given = keysContent === null ? file.get("keys") : readable(keysContent, "the keys document: ");
  if (given === undefined || given === null) report.keysFrom = null;
  const has = report.keysFrom !== null && isKeys(given);
  const ids = has ? given.get("keys").map((key) => key.get("key_id")) : [];
  const isOnce = new Set(ids).size === ids.length;
  must(report, "keys", has && isOnce ? null : "there is no keys document of the shape prescribed");
  return new Map(given.get("keys").map((key) => [key.get("key_id"), key]));
}

function stated(report, payload) {
  let statement = null;
  try {
    statement = payload === null ? null : read(payload);
  } catch (error) {
    if (!(error instanceof NotStrict)) throw error;
  }
  const isGood = statement !== null && isStatement(statement) && same(canonical(statement), payload);
  must(report, "payload", isGood ? null : "the payload is no statement of the shape prescribed");
  return statement;
}

/** What is wrong with the signatures, and who holds the keys of those that verify. */
async function signature(envelope, payload, keys) {
  const message = joined(utf8(`DSSEv1 ${KIND.length} ${KIND} ${payload.length} `), payload);
  const holders = new Set();
  let problem = null;
  for (const item of envelope.get("signatures")) {
    const key = keys.get(item.get("keyid"));
    const value = fromBase64(item.get("sig"));
    if (key === undefined) problem ??= "a key is not in the keys document";
    else if (value === null || !(await isSigned(fromHex(key.get("public")), message, value))) {
      problem ??= "a signature does not verify";
    } else if (key.get("revoked_at") !== null) problem ??= "a key was revoked";
    else holders.add(key.get("holder"));
  }
  return [problem, holders];
}

function signer(predicate, holders, keys) {
  const named = predicate.get("signed_by");
  if (holders.size !== 1 || !holders.has(named)) {
    return "the key's holder is not the signer that the statement names";
  }
  if (predicate.get("roles").get("attester") !== `process:${named}`) {
    return "the signer is not the process that read the destruction back";
  }
  const isNamed = ([id, key]) => id.slice(0, id.lastIndexOf(":")) === key.get("holder");
  return [...keys].every(isNamed) ? null : "a key id does not name its holder";
}

async function logged(report, part, predicate, payload, keys) {
  const event = part.get("event");
  const details = event.get("details");
  const isThis =
    details.get("certificate") === predicate.get("certificate_id") &&
    details.get("kind") === predicate.get("kind") &&
    details.get("sha256") === toHex(await sha256(payload)) &&
    event.get("actor") === predicate.get("roles").get("attester");
  const entry = log.parse(part.get("proof"));
  const isReadable = isThis && entry !== null;
  must(report, "log: event", isReadable ? null : "the event or its proof is about something else");
  const leaf = await log.commitment(event, part.get("r"));
  const isIn = check(
    report,
    "log: inclusion",
    (await log.isIncluded(entry, leaf)) ? null : "the path does not lead from the event to the head",
  );
  const isHead = check(report, "log: head", await log.headProblem(entry, keys));
  const heads = part.get("anchors") ?? [];
  const areHeads = heads.length === 0 || check(report, "log: anchored heads", await anchored(heads, leaf, keys));
  if (!isIn || !isHead || !areHeads) throw new Stop();
  report.anchors = heads;
  return entry;
}

/** What is wrong with the heads that chains are said to keep; whether they do is not asked here. */
async function anchored(heads, leaf, keys) {
  for (const head of heads) {
    const entry = log.parse(head.get("proof"));
    if (entry === null) return "a proof of an anchor is not a tlog-proof with a checkpoint";
    if (!(await log.isIncluded(entry, leaf))) return "a path does not lead from the event to the anchored head";
    const problem = await log.headProblem(entry, keys);
    if (problem !== null) return problem;
  }
  return null;
}
