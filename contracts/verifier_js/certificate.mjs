// What is particular to erasure certificates (docs/formats/certificate.md).

import { sha256, toHex } from "./bytes.mjs";
import { problems } from "./meaning.mjs";
import { FILE_TYPE, isFile, isStatement } from "./shape.mjs";

export const format = FILE_TYPE;
export const hasShape = isFile;
export const isStated = isStatement;
export const kindOf = () => "certificate";
export const partsOf = (log) => [log];

/** What in the statement contradicts the rest of it; null when nothing does. */
export async function contradiction(statement) {
  return problems(statement)[0] ?? null;
}

/** What else is wrong with who signed. */
export function signerProblem(predicate) {
  const isAttester = predicate.get("roles").get("attester") === `process:${predicate.get("signed_by")}`;
  return isAttester ? null : "the signer is not the process that read the destruction back";
}

/** Whether the events are those that name this very document. */
export async function areOf(events, predicate, payload) {
  const [event] = events;
  const details = event.get("details");
  return (
    details.get("certificate") === predicate.get("certificate_id") &&
    details.get("kind") === predicate.get("kind") &&
    details.get("sha256") === toHex(await sha256(payload)) &&
    event.get("actor") === predicate.get("roles").get("attester")
  );
}
