// The page: a file is chosen, read and checked in this browser, and sent nowhere.

import { notProven } from "./limits.mjs";
import { statements, TITLES } from "./plain.mjs";
import { blockHash, examine } from "./verify.mjs";

const VALID = {
  certificate: ["Valid: the certificate is signed as it states.", "Valid, and in the log."],
  bundle: ["Valid: every document is signed as it states.", "Valid, and the log has every document."],
  receipt: ["Valid: the receipt is signed as it states.", "Valid, and in the log."],
};
const IN_A_BLOCK = "Valid, in the log, and in a block that you know.";
const WORDS = {
  invalid: "Invalid. Do not rely on this file.",
  unreadable: "Unreadable: this is no certificate, receipt or bundle that can be read. Nothing was checked.",
};
const LEVELS = ["Signed as stated", "In the log", "In a chain", "The log's events tell the same story"];
const STATES = { holds: "holds", "not-shown": "not shown", fails: "fails" };
const IDENTIFIER = /^(?:[a-z]{3}_[0-9a-z]{26}|[0-9a-f]{64}|process:[a-z-]+)$/;

const byId = (id) => document.getElementById(id);
const chosen = (id) => byId(id).files[0];
const bytes = async (file) => new Uint8Array(await file.arrayBuffer());
let asked = 0;

/** Show what was found out about the chosen file. */
export async function check() {
  const blocks = knownBlocks();
  const [file, keys] = [chosen("certificate"), chosen("keys")];
  if (file === undefined) return;
  asked += 1;
  const mine = asked;
  const report = await examine(await bytes(file), keys === undefined ? null : await bytes(keys), { blocks });
  if (mine === asked) show(report);
}

/** The hashes of blocks that were typed in; what is none is said to be none. */
function knownBlocks() {
  const given = byId("blocks").value.split(/[\s,;]+/).filter((text) => text !== "");
  const isWrong = given.some((text) => blockHash(text) === null);
  byId("blocks").setAttribute("aria-invalid", String(isWrong));
  byId("blocks-wrong").hidden = !isWrong;
  return given;
}

function show(report) {
  const { verdict, kind, checks, reason } = report;
  const isValid = verdict === "valid";
  byId("verdict").textContent = isValid ? praise(report) : WORDS[verdict];
  byId("verdict").dataset.verdict = verdict;
  byId("kind").textContent = TITLES[kind] ?? "";
  fill("levels", verdict === "unreadable" ? [] : levels(report));
  fill("statement", isValid ? statements(report).map(card) : []);
  fill("limits", isValid ? notProven(report).map((text) => element("li", text)) : []);
  const failed = reason === null ? checks : [["the file", reason]];
  fill("checks", failed.map(([name, problem]) => result(name, problem)));
}

function praise({ kind, level }) {
  return level === 2 ? IN_A_BLOCK : (VALID[kind] ?? VALID.receipt)[level];
}

// Only a bundle can show the last of them.
function levels({ kind, levels: found }) {
  return LEVELS.slice(0, kind === "bundle" ? 4 : 3).map((text, level) => {
    const item = element("li", `Level ${level}: ${text}`);
    item.dataset.state = found[level];
    item.append(" ", element("strong", STATES[found[level]]));
    return item;
  });
}

function result(name, problem) {
  const item = element("li", problem === null ? `ok: ${name}` : `FAIL: ${name}: ${problem}`);
  item.dataset.state = problem === null ? "holds" : "fails";
  return item;
}

function card({ title, rows }) {
  const list = element("dl");
  for (const [what, value] of rows) {
    const text = String(value);
    const shown = element("dd", IDENTIFIER.test(text) ? "" : text);
    if (shown.textContent === "") shown.append(element("code", text));
    list.append(element("dt", what), shown);
  }
  const found = element("article");
  found.append(element("h3", title), list);
  return found;
}

const element = (name, text = "") => Object.assign(document.createElement(name), { textContent: text });

function fill(id, items) {
  byId(id).replaceChildren(...items);
  byId(id).closest("section").hidden = items.length === 0;
}

for (const id of ["certificate", "keys", "blocks"]) byId(id).addEventListener("change", check);
