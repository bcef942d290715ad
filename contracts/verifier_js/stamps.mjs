// Timestamp tokens (RFC 3161) over heads: which head one is about, and when it says that was there
// (docs/formats/certificate.md, stamps). Who signed a token is not checked here.

import { fromBase64, same, sha256, toHex, utf8 } from "./bytes.mjs";
import * as log from "./log.mjs";

const SIGNED_DATA = "06092a864886f70d010702";
const TST_INFO = "060b2a864886f70d0109100104";
const SHA256 = "0609608648016503040201";
const TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{0,5}[1-9]))?Z$/;

class NotDer extends Error {}

/** What is wrong with the stamp of an entry; null when nothing is. */
export async function stampProblem(stamp, leaf, keys) {
  const head = log.parse(stamp.get("proof"));
  if (head === null) return "the proof of a stamp is not a tlog-proof with a checkpoint";
  if (!(await log.isIncluded(head, leaf))) return "a path does not lead from the event to the stamped head";
  const problem = await log.headProblem(head, keys);
  if (problem !== null) return problem;
  try {
    const { imprint, time } = told(fromBase64(stamp.get("token")) ?? new Uint8Array());
    if (!same(imprint, await sha256(utf8(head.text)))) return "a token is about something else";
    return time === stamp.get("stamped_at") ? null : "a token says another time";
  } catch (error) {
    if (error instanceof NotDer) return `a token cannot be read: ${error.message}`;
    throw error;
  }
}

/** Imprint and time of the statement in a token (RFC 5652, section 5; RFC 3161, section 2.4.2). */
function told(token) {
  const [kind, content] = inside(only(token), 0x30, 2);
  if (toHex(kind.whole) !== SIGNED_DATA) throw new NotDer("it is no signed data");
  const [, , wrapped] = inside(only(body(content, 0xa0)), 0x30, 3);
  const [type, octets] = inside(wrapped, 0x30, 2);
  if (toHex(type.whole) !== TST_INFO) throw new NotDer("it is no timestamp");
  const info = only(body(only(body(octets, 0xa0)), 0x04));
  const [, , message, , time] = inside(info, 0x30, 5);
  const [algorithm, imprint] = inside(message, 0x30, 2);
  if (toHex(inside(algorithm, 0x30, 1)[0].whole) !== SHA256) throw new NotDer("it is of another algorithm");
  return { imprint: body(imprint, 0x04), time: instant(body(time, 0x18)) };
}

function instant(bytes) {
  const found = TIME.exec(String.fromCharCode(...bytes));
  if (found === null) throw new NotDer("its time is none");
  const [, year, month, day, hour, minute, second, fraction = ""] = found;
  return `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(6, "0")}Z`;
}

function body(value, tag) {
  if (value.tag !== tag) throw new NotDer("a value is of another kind");
  return value.body;
}

/** The first values inside of one, at least so many. */
function inside(value, tag, least) {
  const found = values(body(value, tag));
  if (found.length < least) throw new NotDer("something is missing");
  return found;
}

function only(content) {
  const found = values(content);
  if (found.length !== 1) throw new NotDer("it is not one value");
  return found[0];
}

function values(content) {
  const found = [];
  for (let at = 0; at < content.length; at += found.at(-1).whole.length) found.push(valueAt(content, at));
  return found;
}

function valueAt(content, at) {
  if (at + 2 > content.length) throw new NotDer("it is too short");
  const count = content[at + 1] < 0x80 ? 0 : content[at + 1] - 0x80;
  const begin = at + 2 + count;
  const spelled = content.subarray(at + 2, begin);
  const length = count === 0 ? content[at + 1] : spelled.reduce((sum, byte) => sum * 256 + byte, 0);
  const isSpelledSo = content[at + 1] < 0x80 || (count > 0 && count <= 4 && spelled[0] !== 0 && length >= 0x80);
  if (!isSpelledSo) throw new NotDer("a length is not written as it must be");
  if (begin + length > content.length) throw new NotDer("it is too short");
  return { tag: content[at], body: content.subarray(begin, begin + length), whole: content.subarray(at, begin + length) };
}
