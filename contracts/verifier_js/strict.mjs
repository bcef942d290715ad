// JSON in which two readers can never see two meanings, and its canonical bytes (RFC 8785).
//
// Refused: repeated members, fractions and exponents, integers beyond 2^53 - 1, lone surrogates.

export class NotStrict extends Error {}

const DEEPEST = 400;
const SPACE = new Set([" ", "\t", "\n", "\r"]);
const LITERALS = new Map([["true", true], ["false", false], ["null", null]]);
const ESCAPES = new Map([
  ['"', '"'], ["\\", "\\"], ["/", "/"], ["b", "\b"], ["f", "\f"], ["n", "\n"], ["r", "\r"], ["t", "\t"],
]);

/** The value in `bytes`. Throws NotStrict, whose text repeats nothing of them. */
export function read(bytes) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new NotStrict("the file is not JSON in UTF-8");
  }
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

/** The canonical bytes of what `read` gives. */
export function canonical(value) {
  return new TextEncoder().encode(written(value));
}

function written(value) {
  if (Array.isArray(value)) return `[${value.map(written).join(",")}]`;
  if (value instanceof Map) {
    const names = [...value.keys()].sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${written(value.get(name))}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  fail(why = "the file is not JSON in UTF-8") {
    throw new NotStrict(why);
  }

  space() {
    while (SPACE.has(this.text[this.at])) this.at += 1;
  }

  end() {
    this.space();
    if (this.at !== this.text.length) this.fail();
  }

  takes(mark) {
    this.space();
    if (this.text[this.at] !== mark) return false;
    this.at += 1;
    return true;
  }

  value(depth) {
    if (depth > DEEPEST) this.fail("the JSON is nested too deeply");
    if (this.takes("{")) return this.members(depth);
    if (this.takes("[")) return this.items(depth);
    if (this.takes('"')) return this.string();
    for (const [word, value] of LITERALS) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  members(depth) {
    const found = new Map();
    if (this.takes("}")) return found;
    do {
      if (!this.takes('"')) this.fail();
      const name = this.string();
      if (!this.takes(":")) this.fail();
      if (found.has(name)) this.fail("a member stands twice in one object");
      found.set(name, this.value(depth + 1));
    } while (this.takes(","));
    if (!this.takes("}")) this.fail();
    return found;
  }

  items(depth) {
    const found = [];
    if (this.takes("]")) return found;
    do found.push(this.value(depth + 1));
    while (this.takes(","));
    if (!this.takes("]")) this.fail();
    return found;
  }

  string() {
    let found = "";
    for (;;) {
      const mark = this.text[this.at];
      if (mark === undefined || mark < " ") this.fail();
      this.at += 1;
      if (mark === '"') break;
      found += mark === "\\" ? this.escape() : mark;
    }
    if (!found.isWellFormed()) this.fail();
    return found;
  }

  escape() {
    const mark = this.text[this.at];
    this.at += 1;
    if (mark !== "u") return ESCAPES.get(mark) ?? this.fail();
    const digits = this.text.slice(this.at, this.at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail();
    this.at += 4;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  number() {
    const [text] = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/.exec(this.text.slice(this.at)) ?? [];
    if (text === undefined) this.fail();
    this.at += text.length;
    if (!/^-?[0-9]+$/.test(text)) this.fail("only whole numbers are used");
    const value = Number(text);
    if (!Number.isSafeInteger(value) || text === "-0") this.fail("a number is out of range");
    return value;
  }
}
