#!/usr/bin/env node
// `node cli.mjs [--keys KEYS.json] [--block-hash H]... [--level N] FILE`. Exit status: 0 valid, 2 unreadable or
// wrong usage, else 1, 11, 12 or 13 by the lowest level that fails, or that is not shown though --level asks for it.
// With `--lines` it reads one file name per line from standard input and prints one verdict per line.

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { statusOf } from "./levels.mjs";
import { notProven } from "./limits.mjs";
import { blockHash, examine, unreadable } from "./verify.mjs";

const USAGE = "usage: node cli.mjs [--keys KEYS.json] [--block-hash HASH]... [--level 0|1|2|3] FILE | --lines";
const OPTIONS = {
  keys: { type: "string" },
  "block-hash": { type: "string", multiple: true, default: [] },
  level: { type: "string", default: "0" },
  lines: { type: "boolean", default: false },
};

const given = wanted(process.argv.slice(2));
if (given === null) {
  console.error(USAGE);
  process.exitCode = 2;
} else if (given.lines) {
  for await (const name of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(told(await found(name, given))));
  }
} else {
  const report = await found(given.file, given);
  console.log(JSON.stringify(told(report), null, 2));
  process.exitCode = statusOf(report, Number(given.level));
}

/** What the command line asks for; null when it cannot be understood. */
function wanted(words) {
  try {
    const { values, positionals } = parseArgs({ args: words, options: OPTIONS, allowPositionals: true });
    const isUsage =
      positionals.length === (values.lines ? 0 : 1) &&
      /^[0-3]$/.test(values.level) &&
      values["block-hash"].every((text) => blockHash(text) !== null);
    return isUsage ? { ...values, file: positionals[0] } : null;
  } catch {
    return null;
  }
}

async function found(name, { keys, "block-hash": blocks }) {
  let contents;
  try {
    contents = [await readFile(name), keys === undefined ? null : await readFile(keys)];
  } catch {
    return unreadable("a file cannot be opened");
  }
  return examine(...contents, { blocks });
}

function told(report) {
  const { verdict, kind, level, levels, reason, checks, documents } = report;
  return {
    verdict,
    kind,
    level,
    levels,
    reason,
    checks: checks.map(([check, problem]) => ({ check, passed: problem === null, detail: problem })),
    not_proven: verdict === "valid" ? notProven(report) : [],
    documents: documents.map((document) => ({ name: document.name, report: told(document.report) })),
  };
}
