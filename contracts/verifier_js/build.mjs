// Writes page.html: the modules and the style in one file, which its own policy forbids to connect.
//
// `node build.mjs > page.html`. Each module becomes a function that gives what it exports.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const MODULES = [
  "texts", "strict", "bytes", "identifiers", "shape", "receipt_shape", "meaning", "levels", "log", "keccak", "rlp",
  "in_block", "stamps", "anchors", "entries", "certificate", "receipt", "document", "zip", "story", "bundle", "limits", "verify",
  "plain", "page",
];

const text = (name) => readFileSync(new URL(name, import.meta.url), "utf8");
const hash = (content) => `sha256-${createHash("sha256").update(content).digest("base64")}`;

function asFunction(name) {
  const exported = [];
  const body = text(`${name}.mjs`)
    .replace(/^\/\/.*\n/gm, "")
    .replace(/^import \{\s([^}]+)\s\} from "\.\/(\w+)\.mjs";$/gm, "const { $1 } = $2Module;")
    .replace(/^import \* as (\w+) from "\.\/(\w+)\.mjs";$/gm, "const $1 = $2Module;")
    .replace(/^export ((?:async )?function|const|class) (\w+)/gm, (_, kind, what) => {
      exported.push(what);
      return `${kind} ${what}`;
    });
  if (/^(import|export)\b/m.test(body)) throw new Error(`${name}.mjs: a form that is not known here`);
  return `const ${name}Module = (() => {\n${body.trim()}\nreturn { ${exported.join(", ")} };\n})();\n`;
}

const script = `"use strict";\n${MODULES.map(asFunction).join("")}`;
const style = text("page.css");
const page = text("page.template.html")
  .replace("SCRIPT_HASH", () => hash(script))
  .replace("STYLE_HASH", () => hash(style))
  .replace("STYLE", () => style)
  .replace("SCRIPT", () => script);
process.stdout.write(page);
