// The heads with a document's entry that chains are said to keep.

import { sha256, toHex, utf8 } from "./bytes.mjs";
import { receiptProblem } from "./in_block.mjs";
import * as log from "./log.mjs";

/** keccak-256 of `Anchored(bytes32,uint64,bytes32,uint64,bytes32)`. */
const TOPIC = "0xab2538b30e24998da6ec8193de9ddfab7a84d9ca8cd7c67484ebc298f1a3760e";

/** What is wrong with the heads that chains are said to keep; whether they do is not asked here. */
export async function anchored(heads, leaf, keys) {
  for (const head of heads) {
    const entry = log.parse(head.get("proof"));
    if (entry === null) return "a proof of an anchor is not a tlog-proof with a checkpoint";
    if (!(await log.isIncluded(entry, leaf))) return "a path does not lead from the event to the anchored head";
    const problem = await log.headProblem(entry, keys);
    if (problem !== null) return problem;
    const inBlock = head.has("receipt") ? receiptProblem(head, await eventOf(head, entry)) : null;
    if (inBlock !== null) return inBlock;
  }
  return null;
}

/** What the event of an anchor says: topics, and data. */
async function eventOf(head, entry) {
  const stream = await sha256(utf8(`lethe:anchor:log:v1\n${entry.origin}`));
  const word = (number) => number.toString(16).padStart(64, "0");
  const digest = toHex(await sha256(utf8(entry.note)));
  return {
    topics: [TOPIC, `0x${toHex(stream)}`, `0x${word(head.get("sequence"))}`, `0x${toHex(entry.root)}`],
    data: `0x${word(entry.size)}${digest}`,
  };
}

/**
 * Whether one of the heads, none of which has a problem, is in a block whose hash the user has from elsewhere.
 * It takes the proof that leads from the block's hash to the event: `receipt`.
 */
export function isConfirmed(heads, blocks) {
  return heads.some((head) => head.has("receipt") && blocks.has(head.get("block_hash")));
}
