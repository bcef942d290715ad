// What a valid document states, in plain words: rows of [what, its value].

import { anchorsOf } from "./entries.mjs";

export const TITLES = {
  certificate: "Erasure certificate",
  consent: "Receipt of a decision about a purpose",
  decision: "Receipt of the decisions on a request",
  lease: "Receipt of a lease: what was read",
  bundle: "Evidence bundle",
};
const ROWS = { certificate, consent, decision, lease };
const DECISIONS = { given: "consent given", refused: "consent refused", withdrawn: "consent withdrawn" };
const ROLES = ["requesters", "drafter", "approver", "releaser", "eraser", "attester"];
const MOST = 20;

/** The documents in the report: what each is called and what it states. */
export function statements(report) {
  if (report.kind === "bundle") {
    return report.documents.flatMap(({ name, report: found }) =>
      statements(found).map(({ title, rows }) => ({ title: `${name}: ${title}`, rows })),
    );
  }
  const { predicate } = report;
  const about = ROWS[report.kind](predicate.get("facts") ?? predicate, predicate);
  const signed = [
    ["Signed by", predicate.get("signed_by")],
    ["Issued", time(predicate.get("issued_at"))],
  ];
  return [{ title: TITLES[report.kind], rows: [...about, ...signed, ...places(report)] }];
}

const time = (text) => (text === null ? "no time given" : `${text.replace("T", " ").replace(/(\.0{6})?Z$/, "")} UTC`);
const optional = (what, value) => (value === null || value === undefined ? [] : [[what, value]]);

function few(texts) {
  const more = texts.length > MOST ? [`and ${texts.length - MOST} more`] : [];
  return [...texts.slice(0, MOST), ...more].join(", ");
}

const counts = (map) => [...map].map(([name, count]) => `${count} ${name.replaceAll("_", " ")}`).join(", ");

function places({ entries = [] }) {
  return entries.flatMap(({ part, proof }) => [
    ["In the log", `${proof.origin}: entry ${proof.index} of ${proof.size}`],
    ...anchorsOf({ part }).map((head) => [head.has("receipt") ? "Proven to be in" : "Said to be in", block(head)]),
    ...(part.has("stamp") ? [["Said to be stamped", time(part.get("stamp").get("stamped_at"))]] : []),
  ]);
}

function block(head) {
  const date = new Date(head.get("block_time") * 1000);
  const at = Number.isNaN(date.valueOf()) ? "" : `, ${time(date.toISOString().replace(/\.000Z$/, "Z"))}`;
  return `chain ${head.get("chain_id")}, block ${head.get("block_number")}${at}, if the chain has ${head.get("block_hash")}`;
}

function certificate(predicate) {
  const until = predicate.get("irrecoverable_from");
  const isEstablished = until.get("state") === "established";
  const states = predicate.get("shares").map((share) => share.get("state"));
  const shares = ["destroyed", "absent", "lost"].map((one) => `${states.filter((at) => at === one).length} ${one}`);
  return [
    ["Effect", predicate.get("effect")],
    ["Certificate", predicate.get("certificate_id")],
    ["Kind", predicate.get("kind")],
    ["Erasure", predicate.get("erasure_id")],
    ["Controller", predicate.get("controller_id")],
    ["Legal ground", predicate.get("legal_ground")],
    ["Scope", scope(predicate.get("scope"))],
    ["Requested", time(predicate.get("requested_at"))],
    ["Decided", time(predicate.get("decided_at"))],
    ["No new reads since", time(predicate.get("fenced_at"))],
    ["Inaccessible since", time(predicate.get("destroyed_at"))],
    ["Verified", time(predicate.get("verified_at"))],
    ["Irrecoverable from", isEstablished ? time(until.get("at")) : `not established: ${until.get("reason")}`],
    ["Key shares", shares.join(", ")],
    ["Deleted", counts(predicate.get("deleted"))],
    ...predicate.get("kept").map((one) => ["Kept", kept(one)]),
    ...ROLES.filter((name) => predicate.get("roles").has(name)).map((name) => [
      `By, as ${name}`,
      few([predicate.get("roles").get(name)].flat()),
    ]),
  ];
}

function scope(given) {
  if (given.get("kind") === "subject") return "everything of the person";
  if (given.get("kind") === "groups") return `only key groups ${few(given.get("groups"))}`;
  const group = `key group ${given.get("group")}, because of ${given.get("reasons").join(", ")}`;
  if (given.get("kind") === "rekey") return `only a key of ${group}`;
  return `only ${given.get("records")} records in ${given.get("versions")} versions of ${group}`;
}

function kept(item) {
  const until = item.get("until") === null ? "no end given" : `until ${time(item.get("until"))}`;
  return `${item.get("code")}, on ground ${item.get("ground")}, ${until}`;
}

function consent(facts, predicate) {
  const explicit = facts.get("is_explicit") ? ", explicitly" : "";
  const status = predicate.get("status");
  const place = status && `place ${status.get("index")} of ${status.get("list_id")}`;
  return [
    ["Decision", DECISIONS[facts.get("decision")] + explicit],
    ["Consent", facts.get("consent_id")],
    ["Controller", facts.get("controller_id")],
    ["Purpose", facts.get("purpose_id")],
    ["Version of the purpose", facts.get("purpose_version")],
    ...optional("Text shown (SHA-256)", facts.get("text_digest")),
    ...optional("Language of the text", facts.get("language")),
    ["Channel", facts.get("channel")],
    ["Decided", time(facts.get("decided_at"))],
    ["Recorded", time(facts.get("recorded_at"))],
    ["Recorded by", facts.get("recorded_by")],
    ...optional("Status list", place),
  ];
}

function decision(facts) {
  return [
    ["Request", facts.get("request_id")],
    ["Kind", facts.get("kind")],
    ["Ground", facts.get("ground")],
    ["Erasure", facts.get("erasure_id")],
    ["Controller", facts.get("controller_id")],
    ...optional("Mass act", facts.get("mass_act")),
    ["Received", time(facts.get("received_at"))],
    ["Due on", facts.get("due_on")],
    ["State", facts.get("state")],
    ...facts.get("acts").map((act) => [title(act.get("action")), `${time(act.get("at"))}, by ${by(act)}`]),
  ];
}

const by = (act) => `${act.get("actor")} as ${act.get("role")}`;

function title(action) {
  const [, about, verb] = action.split(".");
  return `${about === "request" ? "Request" : "Mass act"} ${verb}`;
}

function lease(facts) {
  const [opening, closing] = [facts.get("opening"), facts.get("closing")];
  const end = closing === null
    ? [["Closed", "not when this was signed"]]
    : [
        ["Closed", time(closing.get("closed_at"))],
        ["Sent", `${closing.get("records_sent")} records, ${closing.get("bytes_sent")} bytes`],
      ];
  const fields = opening.get("fields");
  return [
    ["Lease", opening.get("lease_id")],
    ["Reader", opening.get("client_id")],
    ["Controller", opening.get("controller_id")],
    ["Purpose", opening.get("purpose_id")],
    ["Version of the purpose", opening.get("purpose_version")],
    ["Opened", time(opening.get("opened_at"))],
    ["Expires", time(opening.get("expires_at"))],
    ["Persons read", opening.get("subjects")],
    ["Persons left out", counts(opening.get("exclusions"))],
    ...fields.slice(0, MOST).map((one) => [`Fields of ${one.get("category")}`, names(one.get("names"))]),
    ...(fields.length > MOST ? [["Fields", `and of ${fields.length - MOST} more categories`]] : []),
    ...end,
  ];
}

const names = (given) => (given.includes("*") ? "all" : few(given));
