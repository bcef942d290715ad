// Checks a bundle (docs/formats/bundle.md): the zip, its manifest, every document in it, and the
// story that the events tell.

import { sha256, toHex } from "./bytes.mjs";
import { examineDocument, keysById, keysProblem } from "./document.mjs";
import { headProblem, inclusionProblem, opened } from "./entries.mjs";
import { check, FAILS, must, NOT_SHOWN, reported, settle, Stop } from "./levels.mjs";
import { areEvents } from "./receipt_shape.mjs";
import { constant, digest, list, members, oneOf, text } from "./shape.mjs";
import { storyProblem } from "./story.mjs";
import { NotStrict, read } from "./strict.mjs";
import { NotPlainZip, unzip } from "./zip.mjs";

const MANIFEST = "bundle.json";
const FORMAT = "urn:lethe:bundle:v1";
const DOCUMENT = /^(?:certificate|receipt)-[a-z0-9.-]+\.json$/;

const isManifest = members({
  format: constant(FORMAT),
  files: list(
    members({
      name: text("[a-z0-9][a-z0-9.-]{0,63}"),
      role: oneOf("keys", "document", "events", "program", "text"),
      sha256: digest,
    }),
    1,
    63,
  ),
});

/** What is found out about the zip in `content`; the rest as for a document. */
export function examineBundle(content, { keys, keysFrom, blocks }) {
  return reported("bundle", async (report) => {
    report.keysFrom = keysFrom;
    const files = readable(content);
    const manifest = manifestOf(files);
    const isShaped = isManifest(manifest) && areRoles(manifest.get("files"));
    must(report, 0, "shape of the manifest", isShaped ? null : "the manifest has not the shape prescribed");
    must(report, 0, "files", await filesProblem(manifest.get("files"), files));
    const own = parsed(files.get("keys.json"));
    const known = keys === undefined ? own : keys;
    must(report, 0, "keys.json", keysProblem(own));
    must(report, 0, "keys", keysProblem(known));
    const events = files.has("events.json") ? parsed(files.get("events.json")) : undefined;
    if (events !== undefined) {
      must(report, 0, "events.json", areEvents(events) ? null : "the events have not the shape prescribed");
    }
    for (const { name } of named(manifest, "document")) {
      const options = { keys: known, keysFrom, blocks, isBundled: true };
      report.documents.push({ name, report: await examineDocument(files.get(name), options) });
    }
    combine(report);
    const heads = report.documents.flatMap(({ report: found }) => found.heads ?? []);
    if (events !== undefined && report.levels[0] !== FAILS) {
      heads.push(...(await tell(report, events, keysById(known))));
    }
    check(report, 1, "log: one history", historyProblem(heads));
  });
}

function readable(content) {
  try {
    return unzip(content);
  } catch (error) {
    if (error instanceof NotPlainZip) throw new Stop(error.message);
    throw error;
  }
}

function manifestOf(files) {
  const manifest = files.has(MANIFEST) ? parsed(files.get(MANIFEST)) : null;
  if (manifest instanceof Map && manifest.get("format") === FORMAT) return manifest;
  throw new Stop("the zip is not a bundle of this format");
}

/** The JSON in the bytes; null when it is none. */
function parsed(bytes) {
  try {
    return read(bytes);
  } catch (error) {
    if (error instanceof NotStrict) return null;
    throw error;
  }
}

const named = (manifest, role) =>
  manifest
    .get("files")
    .filter((file) => file.get("role") === role)
    .map((file) => ({ name: file.get("name") }));

/** Whether there is one keys document, a document, events at most once, and each is called as it has to be. */
function areRoles(files) {
  const isCalled = (file) => {
    const [name, role] = [file.get("name"), file.get("role")];
    if (name === "keys.json" || role === "keys") return name === "keys.json" && role === "keys";
    if (name === "events.json" || role === "events") return name === "events.json" && role === "events";
    return DOCUMENT.test(name) === (role === "document");
  };
  const count = (role) => files.filter((file) => file.get("role") === role).length;
  return files.every(isCalled) && count("keys") === 1 && count("document") > 0 && count("events") < 2;
}

async function filesProblem(listed, files) {
  const names = [...files.keys()].filter((name) => name !== MANIFEST);
  const isAll = names.length === listed.length && names.every((name, at) => listed[at].get("name") === name);
  if (!isAll) return "the manifest lists other files than are there";
  for (const file of listed) {
    const found = toHex(await sha256(files.get(file.get("name"))));
    if (found !== file.get("sha256")) return `${file.get("name")} is not the file that the manifest lists`;
  }
  return null;
}

/** What holds of every document holds of the bundle. */
function combine(report) {
  for (const { name, report: found } of report.documents) {
    const level = [0, 1, 2].find((one) => found.levels[one] === FAILS);
    const [problem] = found.checks.filter(([, what]) => what !== null);
    const text = level === undefined ? null : (found.reason ?? problem.join(": "));
    check(report, level ?? 0, name, text);
  }
  for (const level of [0, 1, 2]) {
    const states = report.documents.map((document) => document.report.levels[level]);
    if (states.includes(FAILS)) report.levels[level] = FAILS;
    else if (!states.includes(NOT_SHOWN)) settle(report, level);
  }
}

async function tell(report, events, keys) {
  const entries = await opened(events.get("entries"));
  const isRead = check(report, 3, "events: proofs", entries === null ? "a proof cannot be read" : null);
  if (!isRead) return [];
  check(report, 3, "events: inclusion", await inclusionProblem(entries));
  check(report, 3, "events: heads", await headProblem(entries, keys));
  const told = report.documents.filter(({ report: found }) => isOfPerson(found));
  const some = told.length > 0 ? null : "there is no certificate of a person's erasure in the bundle";
  check(report, 3, "events: certificates", some);
  const all = entries.map(({ part }) => part.get("event"));
  for (const { name, report: found } of told) {
    check(report, 3, `events: ${name}`, storyProblem(all, found.predicate));
  }
  settle(report, 3);
  return entries.map(({ proof }) => proof);
}

/** Whether the log signed two histories, which it shows to different people. */
function historyProblem(heads) {
  const roots = new Map();
  for (const { origin, size, root } of heads) {
    const name = `${size} ${origin}`;
    const known = roots.get(name) ?? toHex(root);
    if (known !== toHex(root)) return "the log signed two heads of one size that differ";
    roots.set(name, known);
  }
  return null;
}

const isOfPerson = ({ kind, predicate }) =>
  kind === "certificate" && predicate.get("scope").get("kind") === "subject";
