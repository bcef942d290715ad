// The heads with a document's entry that chains are said to keep.

import * as log from "./log.mjs";

/** What is wrong with the heads that chains are said to keep; whether they do is not asked here. */
export async function anchored(heads, leaf, keys) {
  for (const head of heads) {
    const entry = log.parse(head.get("proof"));
    if (entry === null) return "a proof of an anchor is not a tlog-proof with a checkpoint";
    if (!(await log.isIncluded(entry, leaf))) return "a path does not lead from the event to the anchored head";
    const problem = await log.headProblem(entry, keys);
    if (problem !== null) return problem;
  }
  return null;
}

/**
 * Whether one of the heads, none of which has a problem, is in a block whose hash the user has from elsewhere.
 * It takes the proof that leads from the block's hash to the event: `receipt`.
 */
export function isConfirmed(heads, blocks) {
  return heads.some((head) => head.has("receipt") && blocks.has(head.get("block_hash")));
}
