#!/usr/bin/env node
// `node cli.mjs [--keys KEYS.json] FILE`: exit status 0 valid, 1 invalid, 2 unreadable or wrong usage.
// With `--lines` it reads one file name per line from standard input and prints one verdict per line.

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { notProven } from "./limits.mjs";
import { examine } from "./verify.mjs";

const STATUS = { valid: 0, invalid: 1, unreadable: 2 };

const given = process.argv.slice(2);
const at = given.indexOf("--keys");
const [, keysName] = at < 0 ? [] : given.splice(at, 2);
const keys = keysName === undefined ? null : await readFile(keysName);

if (given.length === 1 && given[0] === "--lines") {
  for await (const name of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(told(await examine(await readFile(name), keys))));
  }
} else if (given.length === 1) {
  let report;
  try {
    report = await examine(await readFile(given[0]), keys);
  } catch {
    report = { verdict: "unreadable", reason: "the file cannot be opened", checks: [], level: null };
  }
  console.log(JSON.stringify(told(report), null, 2));
  process.exitCode = STATUS[report.verdict];
} else {
  console.error("usage: node cli.mjs [--keys KEYS.json] FILE");
  process.exitCode = STATUS.unreadable;
}

function told(report) {
  const { verdict, level, reason, checks } = report;
  return {
    verdict,
    level,
    reason,
    checks: checks.map(([check, problem]) => ({ check, passed: problem === null, detail: problem })),
    not_proven: verdict === "valid" ? notProven(report) : [],
  };
}
