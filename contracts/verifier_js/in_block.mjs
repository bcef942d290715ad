// That a block with a given hash has an event: its header, and a proof in its trie of receipts
// (docs/formats/certificate.md, anchors). That a chain has the block is not shown by this.

import { fromHex, same, toHex } from "./bytes.mjs";
import { keccak256 } from "./keccak.mjs";
import { NotRlp, numberAsRlp, numberIn, readRlp } from "./rlp.mjs";

const [RECEIPTS_ROOT, NUMBER, TIME, FEWEST] = [5, 8, 11, 15];

/** Why the `receipt` of an anchor does not show the event; null when it does. */
export function receiptProblem(head, event) {
  try {
    return problem(head, head.get("receipt"), event);
  } catch (error) {
    if (error instanceof NotRlp) return `the proof of an anchor's block cannot be read: ${error.message}`;
    throw error;
  }
}

function problem(head, receipt, event) {
  const header = fromHex(receipt.get("header"));
  if (toHex(keccak256(header)) !== head.get("block_hash")) return "the header is of another block";
  const fields = asList(readRlp(header));
  if (fields.length < FEWEST) return "the header is none";
  const isThen =
    numberIn(fields[NUMBER]) === BigInt(head.get("block_number")) &&
    numberIn(fields[TIME]) === BigInt(head.get("block_time"));
  if (!isThen) return "the header has another number or time";
  const nodes = receipt.get("nodes").map(fromHex);
  const value = proven(asBytes(fields[RECEIPTS_ROOT]), numberAsRlp(receipt.get("key")), nodes);
  return eventProblem(value, receipt.get("log"), head.get("contract"), event);
}

function eventProblem(value, number, contract, { topics, data }) {
  const [status, , , logs] = asList(readRlp(value[0] >= 0xc0 ? value : value.subarray(1)), 4);
  if (toHex(asBytes(status)) !== "01") return "the transaction failed";
  const log = asList(logs)[number];
  if (log === undefined) return "the receipt has no such event";
  const [address, ownTopics, ownData] = asList(log, 3);
  const hex = (bytes) => `0x${toHex(asBytes(bytes))}`;
  const isThis =
    hex(address) === contract &&
    hex(ownData) === data &&
    asList(ownTopics).map(hex).join() === topics.join();
  return isThis ? null : "the event says otherwise";
}

/** What the trie with this root has under the key; every node has to be used. */
function proven(root, key, nodes) {
  let [path, wanted, used] = [toHex(key), root, 0];
  for (;;) {
    let node = wanted;
    if (!Array.isArray(node)) {
      const isNext = used < nodes.length && wanted.length === 32 && same(keccak256(nodes[used]), wanted);
      if (!isNext) throw new NotRlp("a node is missing, or is another one");
      node = asList(readRlp(nodes[used]));
      used += 1;
    }
    if (node.length === 17 && path !== "") {
      wanted = node[Number.parseInt(path[0], 16)];
      path = path.slice(1);
      continue;
    }
    const [own, isLeaf] = node.length === 17 ? ["", true] : shortPath(asList(node, 2)[0]);
    if (!path.startsWith(own)) throw new NotRlp("the path leads elsewhere");
    path = path.slice(own.length);
    wanted = node.at(-1);
    if (!isLeaf) continue;
    const isEnd = path === "" && used === nodes.length && asBytes(wanted).length > 0;
    if (!isEnd) throw new NotRlp("the path ends elsewhere, or nodes are left over");
    return wanted;
  }
}

/** The nibbles of a node with two members, and whether it is a leaf (appendix C). */
function shortPath(packed) {
  const found = /^(?:([02])0((?:..)*)|([13])(.(?:..)*))$/.exec(toHex(asBytes(packed)));
  if (found === null) throw new NotRlp("a path is not written as it must be");
  const [, even, evenPath, odd, oddPath] = found;
  return [evenPath ?? oddPath, Number(even ?? odd) >= 2];
}

function asList(item, length = item?.length) {
  if (!Array.isArray(item) || item.length !== length) throw new NotRlp("not such a list");
  return item;
}

function asBytes(item) {
  if (!(item instanceof Uint8Array)) throw new NotRlp("not bytes");
  return item;
}
