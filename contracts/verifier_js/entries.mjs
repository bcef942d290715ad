// Events that the log commits to, opened: each with the entry, the way to a head, and the anchors.

import { anchored, isConfirmed } from "./anchors.mjs";
import * as log from "./log.mjs";
import { stampProblem } from "./stamps.mjs";

/** The parts with the proofs read and the entries computed; null when a proof cannot be read. */
export async function opened(parts) {
  const found = [];
  for (const part of parts) {
    const proof = log.parse(part.get("proof"));
    if (proof === null) return null;
    found.push({ part, proof, leaf: await log.commitment(part.get("event"), part.get("r")) });
  }
  return found;
}

export const inclusionProblem = (entries) =>
  first(entries, async ({ proof, leaf }) =>
    (await log.isIncluded(proof, leaf)) ? null : "the path does not lead from the event to the head",
  );

export const headProblem = (entries, keys) => first(entries, ({ proof }) => log.headProblem(proof, keys));

export const anchorProblem = (entries, keys) =>
  first(entries, (entry) => anchored(anchorsOf(entry), entry.leaf, keys));

export const stampsProblem = (entries, keys) =>
  first(entries, ({ part, leaf }) => (part.has("stamp") ? stampProblem(part.get("stamp"), leaf, keys) : null));

export const anchorsOf = ({ part }) => part.get("anchors") ?? [];

/** The heads that these were checked against; those of anchors and stamps where all of them hold. */
export const headsOf = (entries, areAllGood) =>
  entries.flatMap((entry) => [entry.proof, ...(areAllGood ? furtherHeads(entry) : [])]);

const furtherHeads = (entry) =>
  [...anchorsOf(entry), ...(entry.part.has("stamp") ? [entry.part.get("stamp")] : [])].map((one) =>
    log.parse(one.get("proof")),
  );

/** Whether chains are said to keep every entry. */
export const areAnchored = (entries) => entries.every((entry) => anchorsOf(entry).length > 0);

/** Whether a block that the user knows shows every entry; asked once the anchors have no problem. */
export const areConfirmed = (entries, blocks) =>
  entries.every((entry) => isConfirmed(anchorsOf(entry), blocks));

async function first(entries, problemOf) {
  for (const entry of entries) {
    const problem = await problemOf(entry);
    if (problem !== null) return problem;
  }
  return null;
}
