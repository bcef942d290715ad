// Checks a certificate, a receipt or a bundle offline: what `examine` finds out. Written from
// docs/formats/ beside the Python verifier, with which it must agree on every file.

import { examineBundle } from "./bundle.mjs";
import { examineDocument } from "./document.mjs";
import { reported, Stop } from "./levels.mjs";
import { NotStrict, read } from "./strict.mjs";

const LIMIT = 16 << 20;

/**
 * What is found out about the bytes of a file, with those of the published keys document if given:
 * `{verdict, kind, level, levels, keysFrom, checks: [[name, problem or null]], reason, documents: [{name, report}],
 * predicate, entries}`. `options.blocks`: hashes of blocks, in hex, from a source of the user's own.
 */
export async function examine(content, keysContent = null, { blocks = [] } = {}) {
  let keys;
  try {
    if (content.length > LIMIT) throw new Stop("the file is larger than 16 MiB");
    if (keysContent !== null) keys = read(keysContent);
  } catch (error) {
    if (error instanceof NotStrict) return unreadable(`the keys document: ${error.message}`);
    if (error instanceof Stop) return unreadable(error.reason);
    throw error;
  }
  const keysFrom = keysContent === null ? "file" : "given";
  const known = new Set([...blocks].map((hash) => blockHash(hash)));
  const isZip = content[0] === 0x50 && content[1] === 0x4b;
  return (isZip ? examineBundle : examineDocument)(content, { keys, keysFrom, blocks: known });
}

/** The hash of a block as documents spell it; null for any other text. */
export function blockHash(text) {
  return /^(?:0[xX])?([0-9a-fA-F]{64})$/.exec(text)?.[1].toLowerCase() ?? null;
}

export function unreadable(reason) {
  return reported(null, async () => {
    throw new Stop(reason);
  });
}
