// What a document does not prove, in the words that the verifier in Python has, too.

import { HOLDS } from "./levels.mjs";

const ALWAYS = [
  "That the statement is true: the signer says what it read in the key store.",
  "That nobody copied the data or the keys before they were destroyed.",
  "That no operator of the key store or of a backup kept a key.",
];
const UNPUBLISHED =
  "That the signing key is the controller's: it was taken from the file itself." +
  " Compare it with the published one (/.well-known/lethe-keys), or give that with --keys.";
const UNLOGGED =
  "When it was signed: this file holds no transparency log proof and no chain anchor.";
const UNANCHORED =
  "When it entered the log, and that the log shows everybody the same: heads have no " +
  "trusted time, and this file holds no chain anchor. Compare the head with one that others" +
  " have seen.";
const SAID_TO_BE_ANCHORED =
  "When it entered the log: the file says which blocks of which chains keep heads with it," +
  " and nothing in it proves that. Look a block up on a node that you trust, or have it asked" +
  " (--rpc).";
const IN_BLOCKS =
  "When it entered the log: the file shows that blocks of these hashes have heads with it, not " +
  "that the chains have such blocks. Compare a hash with a source that you trust (--block-hash), " +
  "or have a node asked (--rpc).";
const SAID_TO_BE_STAMPED =
  "When it entered the log: the file holds a timestamp token over a head with it, whose signature " +
  "is not checked here. Write it out (--stamps) and have openssl verify it with the certificates " +
  "of an authority that you trust.";
const KEPT_BY_CHAIN =
  "That the chain keeps the block whose hash was given: you, or the source that you have it " +
  "from, said so.";
const THREE_PERSONS =
  "That the three persons named by pseudonym are three human beings.";
const KEPT_DATA =
  "What other data of the person is kept: this certificate is about a part of it.";
const PENDING =
  "That no backup can bring the keys back: that date is not established, so this " +
  "certificate is interim.";
const ENDED =
  "That there was no copy of the stores besides those in the inventory of backups.";
const BY_WORD =
  "That the copies which rest on an operator's word ended when it says: they could not be " +
  "read.";
const ABSENT =
  "That the key shares read as absent were destroyed: the key store merely lacks them.";
const LOST =
  "That the key shares called lost were destroyed: the key store had lost them before, and " +
  "a copy of it that somebody kept may hold them.";
const UNREACHED =
  "What the unreachable nodes of the key store hold: they were not read.";
const STAND_IN =
  "Anything about key custody: a development stand-in held these keys, no key store.";

const RECORDED = "That the statement is true: the signer says what it recorded.";
const WHOSE =
  "Whose decision it was: nothing in it names a person; it belongs to whoever was given it.";
const WITHDRAWN = "Whether the consent was withdrawn since.";
const WITHDRAWN_LISTED =
  "Whether the consent was withdrawn since: look at its place in the status list.";
const WHEN_RECEIVED =
  "When the request was received and was due, and how it stands: the log has the acts alone.";
const HUMAN_BEINGS =
  "That the persons named by pseudonym are different human beings.";
const PASSED_ON = "That nobody kept or passed on what was read.";
const NOT_CLOSED =
  "What was read in the end: the lease was not closed when this was signed.";

const KINDS = { certificate: ofCertificate, consent: ofConsent, decision: ofDecision, lease: ofLease };

/** The limits that hold for this very document or bundle, which is valid. */
export function notProven(report) {
  if (report.kind === "bundle") {
    return [...new Set(report.documents.flatMap((document) => notProven(document.report)))];
  }
  return [...(report.keysFrom === "file" ? [UNPUBLISHED] : []), ...KINDS[report.kind](report)];
}

function ofTime({ levels, entries, isAnchored }) {
  if (entries === undefined) return [UNLOGGED];
  if (levels[2] === HOLDS) return [KEPT_BY_CHAIN];
  const stamped = entries.every(({ part }) => part.has("stamp")) ? [SAID_TO_BE_STAMPED] : [];
  if (!isAnchored) return stamped.length > 0 ? stamped : [UNANCHORED];
  return [entries.every(isInBlock) ? IN_BLOCKS : SAID_TO_BE_ANCHORED, ...stamped];
}

const isInBlock = ({ part }) => part.get("anchors").some((head) => head.has("receipt"));

function ofConsent(report) {
  const { predicate } = report;
  const isGiven = predicate.get("facts").get("decision") === "given";
  const since = predicate.has("status") ? WITHDRAWN_LISTED : WITHDRAWN;
  return [RECORDED, WHOSE, ...(isGiven ? [since] : []), ...ofTime(report)];
}

function ofDecision(report) {
  return [RECORDED, WHEN_RECEIVED, HUMAN_BEINGS, ...ofTime(report)];
}

function ofLease(report) {
  const isOpen = report.predicate.get("facts").get("closing") === null;
  return [RECORDED, PASSED_ON, ...(isOpen ? [NOT_CLOSED] : []), ...ofTime(report)];
}

function ofCertificate(report) {
  const { predicate } = report;
  const isWhole = predicate.get("scope").get("kind") === "subject";
  const until = predicate.get("irrecoverable_from");
  const isPending = until.get("state") === "pending";
  const has = (name, state) => predicate.get(name).some((one) => one.get("state") === state);
  const byWord = (item) => item.get("evidence") === "signed-by-operator";
  return [
    ...ALWAYS,
    ...ofTime(report),
    isWhole ? THREE_PERSONS : KEPT_DATA,
    ...(isPending ? [PENDING] : [ENDED, ...(until.get("inventory").some(byWord) ? [BY_WORD] : [])]),
    ...(has("shares", "absent") ? [ABSENT] : []),
    ...(has("shares", "lost") ? [LOST] : []),
    ...(has("nodes", "unreachable") ? [UNREACHED] : []),
    ...(predicate.get("method").get("custodian") === "keyring" ? [STAND_IN] : []),
  ];
}
