// What shapes are made of, and those of a certificate file, its keys, its log part and its statement
// (docs/formats/certificate.md). A shape is a function from a value to true or false; objects are
// Maps, as strict.mjs reads them.

import { EFFECTS, SHARES } from "./texts.mjs";

export const text = (pattern) => {
  const whole = new RegExp(`^(?:${pattern})$`);
  return (value) => typeof value === "string" && whole.test(value);
};
export const constant = (wanted) => (value) => value === wanted;
export const oneOf = (...values) => (value) => typeof value === "string" && values.includes(value);
export const either = (...shapes) => (value) => shapes.filter((shape) => shape(value)).length === 1;
export const whole = (least) => (value) => Number.isInteger(value) && value >= least;
export const list = (shape, least, most) => (value) =>
  Array.isArray(value) && value.length >= least && value.length <= most && value.every(shape);
export const members = (required, optional = {}) => (value) => {
  if (!(value instanceof Map)) return false;
  const known = { ...required, ...optional };
  return (
    Object.keys(required).every((name) => value.has(name)) &&
    [...value].every(([name, part]) => Object.hasOwn(known, name) && known[name](part))
  );
};

export const nothing = constant(null);
export const id = (prefix) => text(`${prefix}_[0-7][0-9a-hjkmnp-tv-z]{25}`);
export const instant = text(
  "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{6}Z",
);
export const instantOrNull = either(instant, nothing);
export const digest = text("[0-9a-f]{64}");
export const uuid = text("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");
export const code = text("[a-z][a-z0-9]{0,31}(-[a-z0-9]{1,31}){0,7}");
const group = text("[a-z0-9][a-z0-9-]{0,39}");
const process = text("process:[a-z][a-z-]{0,30}");
export const actor = text("(psn|cli)_[0-7][0-9a-hjkmnp-tv-z]{25}|process:[a-z][a-z-]{0,30}");
const keyId = text("[a-z][a-z-]{0,30}:[1-9][0-9]{0,8}");
export const holder = text("[a-z][a-z-]{0,30}");
const base64 = text("[A-Za-z0-9+/]*={0,2}");
export const count = whole(0);
export const proof = (value) => typeof value === "string" && value !== "";
export const software = members({ name: constant("lethe"), version: text("[0-9A-Za-z][0-9A-Za-z.+-]{0,63}") });
const kind = oneOf("interim", "final");

const share = either(
  members({
    share: digest,
    state: constant("destroyed"),
    wording: constant(SHARES.destroyed),
    versions: whole(1),
    destroyed_at: instantOrNull,
  }),
  ...["absent", "lost"].map((state) =>
    members({
      share: digest,
      state: constant(state),
      wording: constant(SHARES[state]),
      versions: constant(0),
      destroyed_at: nothing,
    }),
  ),
);
const copy = members({
  kind: oneOf("database-backup", "key-store-residue", "key-store-snapshot", "retired-disk", "wal-archive"),
  expires_at: instant,
  evidence: oneOf("read-from-store", "signed-by-operator"),
  statement: digest,
});
const end = either(
  members({ state: constant("pending"), reason: code }),
  members({ state: constant("established"), at: instant, inventory: list(copy, 1, 1000) }),
);
const reasons = list(oneOf("erasure", "leak", "rectification"), 1, 3);
const scope = either(
  members({ kind: constant("subject") }),
  members({ kind: constant("groups"), groups: list(group, 1, 100) }),
  members({ kind: constant("items"), group, reasons, records: whole(1), versions: whole(1) }),
  members({ kind: constant("rekey"), group, reasons }),
);
const roles = either(
  members({ drafter: id("psn"), approver: id("psn"), releaser: id("psn"), eraser: process, attester: process }),
  members({ requesters: list(actor, 0, 100), eraser: process, attester: process }),
);

export const TIMES = [
  "requested_at", "decided_at", "fenced_at", "drained_at", "ordered_at", "destroyed_at", "swept_at",
  "verified_at", "issued_at",
];

const predicate = members(
  {
    certificate_id: id("crt"),
    kind,
    erasure_id: id("ers"),
    controller_id: id("ctl"),
    legal_ground: text("art[0-9]{1,2}(-[0-9]{1,2})?(-[a-z])?"),
    scope,
    effect: oneOf(...Object.values(EFFECTS).flatMap((texts) => Object.values(texts))),
    method: members({ custodian: code, share_bits: constant(256) }),
    ...Object.fromEntries(TIMES.map((name) => [name, instant])),
    nodes: list(
      members({ node: text("[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}"), state: oneOf("read", "unreachable") }),
      1,
      99,
    ),
    shares: list(share, 1, 1000),
    leases_open_at_fence: count,
    deleted: members({ records: count, grants: count, tags: count, openings: count }),
    kept: list(members({ code, ground: text("art[0-9]{1,2}(-[0-9]{1,2})?(-[a-z])?"), until: instantOrNull }), 0, 100),
    suppression: members({ tags_kept: count, until: constant("source-acknowledges"), at_the_latest: instantOrNull }),
    roles,
    signed_by: holder,
    irrecoverable_from: end,
    journal: members({ journal_id: uuid, sequence: whole(1), hash: digest }),
    software,
  },
  { interim: members({ certificate_id: id("crt"), sha256: digest }) },
);

export const isStatement = members({
  _type: constant("https://in-toto.io/Statement/v1"),
  predicateType: constant("urn:lethe:erasure-certificate:v1"),
  subject: list(members({ name: text("key-share/[1-9][0-9]{0,3}"), digest: members({ sha256: digest }) }), 1, 1000),
  predicate,
});

export const isKeys = members({
  type: constant("urn:lethe:keys:v1"),
  keys: list(
    members({
      key_id: keyId,
      holder,
      algorithm: constant("ed25519"),
      public: digest,
      first_seen_at: instant,
      revoked_at: instantOrNull,
    }),
    0,
    1000,
  ),
});

const pairs = text("([0-9a-f]{2})+");
const hex = (most) => (value) => pairs(value) && value.length <= 2 * most;
const receipt = members({ header: hex(4096), key: count, nodes: list(hex(65536), 1, 64), log: count });
export const anchor = members({
  chain_id: whole(1),
  contract: text("0x[0-9a-f]{40}"),
  sequence: whole(1),
  tx: digest,
  block_number: count,
  block_hash: digest,
  block_time: count,
  log_index: count,
  finality: oneOf("tag", "depth", "instant"),
  proof,
}, { receipt });

export const stamp = members({
  token: (value) => base64(value) && value.length <= 65536,
  stamped_at: instant,
  proof,
});

const log = members({
  event: members({
    action: constant("governance.certificate.issued"),
    actor: process,
    at: instant,
    controller: uuid,
    details: members({ certificate: id("crt"), kind, sha256: digest }),
    erasure: uuid,
    id: uuid,
    request: either(uuid, nothing),
    role: code,
    trail: nothing,
  }),
  r: digest,
  proof,
}, { anchors: list(anchor, 1, 16), stamp });

export const envelope = members({
  payloadType: constant("application/vnd.in-toto+json"),
  payload: base64,
  signatures: list(members({ keyid: keyId, sig: base64 }), 1, 8),
});

export const FILE_TYPE = "urn:lethe:certificate-file:v1";

export const isFile = members({ format: constant(FILE_TYPE), envelope }, { keys: isKeys, log });
