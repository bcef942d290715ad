// The shapes of a receipt file, of its three statements, and of events of the log
// (docs/formats/receipt.md).

import {
  actor, anchor, code, constant, count, digest, either, envelope, holder, id, instant, isKeys, list, members,
  nothing, oneOf, proof, software, stamp, text, uuid, whole,
} from "./shape.mjs";

export const RECEIPT_TYPE = "urn:lethe:receipt-file:v1";

const truth = (value) => typeof value === "boolean";
const orNull = (shape) => either(shape, nothing);
const uuidOrNull = orNull(uuid);
const day = text("[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])");
const language = text("[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,7}");
const role = text("[a-z][a-z0-9+-]{0,199}");
const publicIds = (...prefixes) => Object.fromEntries(prefixes.map(([name, prefix]) => [name, id(prefix)]));

// Characters, not halves of them.
const fieldName = (value) => typeof value === "string" && value !== "" && [...value].length <= 200;

const consent = members({
  ...publicIds(["consent_id", "cns"], ["controller_id", "ctl"], ["purpose_id", "pur"]),
  purpose_version: whole(1),
  decision: oneOf("given", "refused", "withdrawn"),
  is_explicit: truth,
  text_digest: orNull(digest),
  language: orNull(language),
  channel: code,
  decided_at: instant,
  recorded_at: instant,
  recorded_by: actor,
});

const status = members({ list_id: digest, index: count });

const act = members({
  action: oneOf(
    "governance.request.drafted", "governance.request.approved", "governance.request.released",
    "governance.request.withdrawn", "governance.mass-act.drafted", "governance.mass-act.approved",
    "governance.mass-act.released",
  ),
  actor,
  role,
  at: instant,
});

const decision = members({
  ...publicIds(["request_id", "req"], ["erasure_id", "ers"], ["controller_id", "ctl"]),
  mass_act: orNull(id("mas")),
  kind: code,
  ground: code,
  received_at: instant,
  due_on: day,
  state: code,
  acts: list(act, 1, 100),
});

const lease = members({
  opening: members({
    ...publicIds(["lease_id", "lea"], ["controller_id", "ctl"], ["purpose_id", "pur"], ["client_id", "cli"]),
    purpose_version: whole(1),
    fields: list(members({ category: id("cat"), names: list(fieldName, 1, 1000) }), 1, 1000),
    subjects: count,
    exclusions: members({
      refused: count, withdrawn: count, undecided: count, restricted: count, erased: count, key_lost: count,
    }),
    opened_at: instant,
    expires_at: instant,
  }),
  closing: orNull(members({ lease_id: id("lea"), closed_at: instant, records_sent: count, bytes_sent: count })),
});

const statement = (predicateType, name, facts, optional = {}) =>
  members({
    _type: constant("https://in-toto.io/Statement/v1"),
    predicateType: constant(predicateType),
    subject: list(members({ name: constant(name), digest: members({ sha256: digest }) }), 1, 1),
    predicate: members({ facts, signed_by: holder, issued_at: instant, software }, optional),
  });

/** By type of the statement: the kind of the receipt, and the statement's shape. */
const STATEMENTS = new Map(
  [
    ["consent", "urn:lethe:consent-receipt:v1", "consent", consent, { status }],
    ["decision", "urn:lethe:decision-record:v1", "request", decision],
    ["lease", "urn:lethe:lease-manifest:v1", "lease", lease],
  ].map(([kind, type, ...rest]) => [type, { kind, shape: statement(type, ...rest) }]),
);

const known = (value) => (value instanceof Map ? STATEMENTS.get(value.get("predicateType")) : undefined);
export const receiptKind = (value) => known(value)?.kind ?? null;
export const isReceiptStatement = (value) => known(value)?.shape(value) ?? false;

const printable = text("[ -~]{0,500}");
const detail = either(printable, Number.isInteger, truth, list(printable, 0, 1000));
const detailName = text("[a-z][a-z0-9_]{0,63}");
const details = (value) =>
  value instanceof Map && value.size <= 50 && [...value].every(([name, part]) => detailName(name) && detail(part));

const event = (trail) =>
  members({
    action: text("[a-z]+([.][a-z][a-z0-9_-]*){1,9}"),
    actor,
    at: instant,
    controller: uuidOrNull,
    details,
    erasure: uuidOrNull,
    id: uuid,
    request: uuidOrNull,
    role,
    trail,
  });

const entry = (trail, optional = {}) => members({ event: event(trail), r: digest, proof }, optional);

export const isReceipt = members(
  { format: constant(RECEIPT_TYPE), envelope },
  { keys: isKeys, log: members({ entries: list(entry(uuidOrNull, { anchors: list(anchor, 1, 16), stamp }), 1, 100) }) },
);

/** The events that a bundle brings: none is a person's. */
export const areEvents = members({
  format: constant("urn:lethe:events:v1"),
  entries: list(entry(nothing), 1, 1000),
});
