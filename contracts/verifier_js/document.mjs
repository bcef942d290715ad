// Checks one signed document: a certificate or a receipt. The two differ in what certificate.mjs and
// receipt.mjs say, and in nothing else.

import { fromBase64, fromHex, isSigned, joined, same, utf8 } from "./bytes.mjs";
import * as certificate from "./certificate.mjs";
import {
  anchorProblem, anchorsOf, areAnchored, areConfirmed, headProblem, headsOf, inclusionProblem, opened, stampsProblem,
} from "./entries.mjs";
import { check, FAILS, HOLDS, must, reported, settle, Stop } from "./levels.mjs";
import * as receipt from "./receipt.mjs";
import { isKeys } from "./shape.mjs";
import { canonical, NotStrict, read } from "./strict.mjs";

const PAYLOAD = "application/vnd.in-toto+json";
const FAMILIES = new Map([certificate, receipt].map((family) => [family.format, family]));

/**
 * What is found out about the document in `content`. `keys`: the keys document, undefined for the one in the
 * file; `keysFrom`: where it is from; `blocks`: hashes of blocks that the user knows; `isBundled`: it stands in a
 * bundle and brings no keys.
 */
export function examineDocument(content, { keys, keysFrom, blocks, isBundled = false }) {
  return reported(null, async (report) => {
    const file = readable(content);
    const family = file instanceof Map ? FAMILIES.get(file.get("format")) : undefined;
    if (family === undefined) throw new Stop("the file is no document of a format that is known here");
    if (family === certificate) report.kind = "certificate";
    report.keysFrom = keysFrom;
    const document = keys === undefined ? (file.get("keys") ?? null) : keys;
    if (document === null) report.keysFrom = null;
    must(report, 0, "keys", keysProblem(document));
    const known = keysById(document);
    const isGood = family.hasShape(file) && !(isBundled && file.has("keys"));
    must(report, 0, "shape of the file", isGood ? null : "the file has not the shape prescribed");
    const payload = fromBase64(file.get("envelope").get("payload"));
    const statement = stated(report, payload, family);
    report.kind = family.kindOf(statement);
    await signed(report, file.get("envelope"), payload, statement, known, family);
    report.predicate = statement.get("predicate");
    settle(report, 0);
    if (file.has("log")) await logged(report, family, family.partsOf(file.get("log")), payload, known, blocks);
  });
}

function readable(content) {
  try {
    return read(content);
  } catch (error) {
    if (error instanceof NotStrict) throw new Stop(error.message);
    throw error;
  }
}

/** What is wrong with a keys document; null when nothing is. */
export function keysProblem(document) {
  const ids = isKeys(document) ? document.get("keys").map((key) => key.get("key_id")) : null;
  const isGood = ids !== null && new Set(ids).size === ids.length;
  return isGood ? null : "there is no keys document of the shape prescribed";
}

/** The keys to check with, by id. */
export const keysById = (document) => new Map(document.get("keys").map((key) => [key.get("key_id"), key]));

function stated(report, payload, family) {
  let statement = null;
  try {
    statement = payload === null ? null : read(payload);
  } catch (error) {
    if (!(error instanceof NotStrict)) throw error;
  }
  const isGood = statement !== null && family.isStated(statement) && same(canonical(statement), payload);
  must(report, 0, "payload", isGood ? null : "the payload is no statement of the shape prescribed");
  return statement;
}

async function signed(report, envelope, payload, statement, keys, family) {
  const [problem, holders] = await signature(envelope, payload, keys);
  const predicate = statement.get("predicate");
  const passed = [
    check(report, 0, "signature", problem),
    check(report, 0, "agreement of the statement with itself", await family.contradiction(statement)),
    check(report, 0, "signer", signerProblem(predicate, holders, keys) ?? family.signerProblem(predicate)),
  ];
  if (passed.includes(false)) throw new Stop();
}

/** What is wrong with the signatures, and who holds the keys of those that verify. */
async function signature(envelope, payload, keys) {
  const message = joined(utf8(`DSSEv1 ${PAYLOAD.length} ${PAYLOAD} ${payload.length} `), payload);
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

function signerProblem(predicate, holders, keys) {
  if (holders.size !== 1 || !holders.has(predicate.get("signed_by"))) {
    return "the key's holder is not the signer that the statement names";
  }
  const isNamed = ([id, key]) => id.slice(0, id.lastIndexOf(":")) === key.get("holder");
  return [...keys].every(isNamed) ? null : "a key id does not name its holder";
}

/** That the log has the events that name this document, and where chains are said to keep it. */
async function logged(report, family, parts, payload, keys, blocks) {
  const events = parts.map((part) => part.get("event"));
  const entries = await opened(parts);
  const isThis = entries !== null && (await family.areOf(events, report.predicate, payload));
  must(report, 1, "log: event", isThis ? null : "an event or its proof is about something else");
  check(report, 1, "log: inclusion", await inclusionProblem(entries));
  check(report, 1, "log: head", await headProblem(entries, keys));
  if (entries.some((entry) => anchorsOf(entry).length > 0)) {
    check(report, 2, "log: anchored heads", await anchorProblem(entries, keys));
  }
  if (entries.some(({ part }) => part.has("stamp"))) {
    check(report, 2, "log: stamped heads", await stampsProblem(entries, keys));
  }
  settle(report, 1);
  if (report.levels[1] === HOLDS && report.levels[2] !== FAILS && areConfirmed(entries, blocks)) settle(report, 2);
  const shown = report.levels[1] === HOLDS ? headsOf(entries, report.levels[2] !== FAILS) : [];
  Object.assign(report, { entries, isAnchored: areAnchored(entries), heads: shown });
}
