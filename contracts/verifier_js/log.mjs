// The log part: the entry that commits to an event, its way to a head (RFC 9162, section 2.1.3),
// and the signature of that head (C2SP signed-note).

import { fromBase64, fromHex, isSigned, same, sha256, utf8 } from "./bytes.mjs";
import { canonical } from "./strict.mjs";

const PROOF = /^c2sp\.org\/tlog-proof@v1\nindex (0|[1-9][0-9]{0,17})\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n([^]*)$/;
const NOTE =
  /^(([!-*,-~]{1,200})\n(0|[1-9][0-9]{0,17})\n([A-Za-z0-9+/]{43}=)\n)\n((?:\u2014 [^ \n]+ [A-Za-z0-9+/]+=*\n){1,16})$/;
const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const ED25519 = Uint8Array.of(1);

/** What a tlog-proof with its checkpoint says; null for any other text. */
export function parse(proof) {
  const outer = PROOF.exec(proof);
  const note = outer && NOTE.exec(outer[3]);
  if (!note) return null;
  const path = outer[2].split("\n").slice(0, -1).map(fromBase64);
  const [whole, text, origin, size, root, lines] = note;
  const hashes = [...path, fromBase64(root)];
  if (hashes.includes(null)) return null;
  return { index: BigInt(outer[1]), path, text, note: whole, origin, size: BigInt(size), root: hashes.at(-1), lines };
}

/** The entry of the log that commits to `event` under the random bytes in hex. */
export async function commitment(event, random) {
  return sha256(LEAF, utf8("audit.v1"), fromHex(random), await sha256(canonical(event)));
}

/** Whether the path leads from the entry to the root of the head. */
export async function isIncluded({ index, size, path, root }, entry) {
  if (index >= size) return false;
  let place = index;
  let last = size - 1n;
  let found = await sha256(LEAF, entry);
  for (const sibling of path) {
    if (last === 0n) return false;
    if (place % 2n === 1n || place === last) {
      found = await sha256(NODE, sibling, found);
      while (place % 2n === 0n && place !== 0n) {
        place /= 2n;
        last /= 2n;
      }
    } else {
      found = await sha256(NODE, found, sibling);
    }
    place /= 2n;
    last /= 2n;
  }
  return last === 0n && same(found, root);
}

/** What is wrong with the head's signature by a key of the log; null when nothing is. */
export async function headProblem(head, keys) {
  const sorted = [...keys].sort(([one], [two]) => (one < two ? -1 : 1));
  for (const [, key] of sorted) {
    if (key.get("holder") !== "loggerd") continue;
    const pub = fromHex(key.get("public"));
    const signature = await signatureOf(head, pub);
    if (signature === null) continue;
    if (!(await isSigned(pub, utf8(head.text), signature))) {
      return "the signature of the log's head does not verify";
    }
    return key.get("revoked_at") === null ? null : "the key of the log's head was revoked";
  }
  return "the log's head is signed by no key of the log in the keys document";
}

async function signatureOf(head, pub) {
  const digest = await sha256(utf8(head.origin), utf8("\n"), ED25519, pub);
  for (const line of head.lines.split("\n").slice(0, -1)) {
    const [, name, text] = line.split(" ");
    const held = fromBase64(text);
    if (held !== null && name === head.origin && same(held.slice(0, 4), digest.slice(0, 4))) {
      return held.slice(4);
    }
  }
  return null;
}
