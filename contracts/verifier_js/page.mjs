// The page: a file is chosen, read and checked in this browser, and sent nowhere.

import { anchorsOf } from "./entries.mjs";
import { notProven } from "./limits.mjs";
import { examine } from "./verify.mjs";

const WORDS = {
  valid: ["Valid: the certificate is signed as it states.", "Valid, and in the log."],
  invalid: "Invalid. Do not rely on this file.",
  unreadable: "Unreadable: this is not an erasure certificate. Nothing was checked.",
};
const chosen = (id) => document.getElementById(id).files[0];
const bytes = async (file) => new Uint8Array(await file.arrayBuffer());

/** Show what was found out about the chosen file. */
export async function check() {
  const file = chosen("certificate");
  if (file === undefined) return;
  const keys = chosen("keys");
  const report = await examine(await bytes(file), keys === undefined ? null : await bytes(keys));
  const { verdict, level, checks } = report;
  document.getElementById("verdict").textContent =
    verdict === "valid" ? WORDS.valid[level] : WORDS[verdict];
  document.getElementById("verdict").dataset.verdict = verdict;
  list("checks", checks.map(([name, problem]) => (problem ? `FAIL: ${name}: ${problem}` : `ok: ${name}`)));
  list("statement", verdict === "valid" ? stated(report) : []);
  list("limits", verdict === "valid" ? notProven(report) : []);
}

function stated({ predicate, entries = [] }) {
  const said = [
    `certificate ${predicate.get("certificate_id")}, ${predicate.get("kind")}`,
    predicate.get("effect"),
    `requested ${predicate.get("requested_at")}`,
    `inaccessible since ${predicate.get("destroyed_at")}`,
    `issued ${predicate.get("issued_at")}`,
  ];
  for (const { proof } of entries) said.push(`log ${proof.origin}: entry ${proof.index} of ${proof.size}`);
  for (const head of entries.flatMap(anchorsOf)) {
    const time = new Date(head.get("block_time") * 1000);
    const at = Number.isNaN(time.valueOf()) ? "" : `, ${time.toISOString()}`;
    said.push(`said to be in chain ${head.get("chain_id")}, block ${head.get("block_number")}${at}`);
  }
  return said;
}

function list(id, texts) {
  const items = texts.map((text) => Object.assign(document.createElement("li"), { textContent: text }));
  document.getElementById(id).replaceChildren(...items);
  document.getElementById(id).closest("section").hidden = texts.length === 0;
}

for (const id of ["certificate", "keys"]) document.getElementById(id).addEventListener("change", check);
