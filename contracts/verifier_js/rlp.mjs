// Recursive Length Prefix (Ethereum yellow paper, appendix B): bytes are Uint8Arrays, lists arrays.

const DEEPEST = 8;

export class NotRlp extends Error {}

/** The one item that the bytes are, in its only form; throws NotRlp. */
export function readRlp(content) {
  const [item, end] = itemAt(content, 0, content.length, DEEPEST);
  if (end !== content.length) throw new NotRlp("bytes are left over");
  return item;
}

/** The number in an item, as a BigInt. */
export function numberIn(item) {
  if (!(item instanceof Uint8Array) || item[0] === 0) throw new NotRlp("not a number");
  return big(item);
}

/** A number as an item is written. */
export function numberAsRlp(value) {
  const bytes = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return bytes.length === 1 && bytes[0] < 0x80 ? Uint8Array.from(bytes) : Uint8Array.from([0x80 + bytes.length, ...bytes]);
}

const big = (bytes) => bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);

function itemAt(content, at, end, depth) {
  if (at >= end || depth === 0) throw new NotRlp("too short, or nested too deeply");
  const first = content[at];
  if (first < 0x80) return [content.subarray(at, at + 1), at + 1];
  const isList = first >= 0xc0;
  const [begin, stop] = body(content, at, end, first - (isList ? 0xc0 : 0x80));
  if (isList) return [itemsIn(content, begin, stop, depth - 1), stop];
  if (stop - begin === 1 && content[begin] < 0x80) throw new NotRlp("a byte that needs no prefix has one");
  return [content.subarray(begin, stop), stop];
}

function itemsIn(content, begin, end, depth) {
  const items = [];
  for (let at = begin; at < end; ) {
    const [item, next] = itemAt(content, at, end, depth);
    items.push(item);
    at = next;
  }
  return items;
}

/** From where to where the body is whose prefix at `at` has this code. */
function body(content, at, end, code) {
  const ofLength = Math.max(0, code - 55);
  const begin = at + 1 + ofLength;
  const told = content.subarray(at + 1, begin);
  const length = ofLength === 0 ? BigInt(code) : big(told);
  const isMinimal = ofLength === 0 || (told[0] !== 0 && length > 55n);
  if (begin > end || !isMinimal || BigInt(begin) + length > BigInt(end)) throw new NotRlp("a length is wrong");
  return [begin, begin + Number(length)];
}
