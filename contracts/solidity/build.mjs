// Compiles the contracts beside this file: `node build.mjs MODULES FOLDER` writes one JSON each.
//
// MODULES has node_modules with the compiler and the libraries (scripts/chain.sh puts them there).

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [modules, folder] = process.argv.slice(2).map((part) => resolve(part));
const sources = import.meta.dirname;
const solc = createRequire(join(modules, "package.json"))("solc");
const SETTINGS = {
  evmVersion: "cancun",
  optimizer: { enabled: true, runs: 200 },
  metadata: { bytecodeHash: "none" },
};
const WANTED = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"];

const read = (path) => readFileSync(path, "utf8");
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const names = readdirSync(sources).filter((name) => name.endsWith(".sol")).sort();
const libraries = {};

const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources: Object.fromEntries(names.map((name) => [name, { content: read(join(sources, name)) }])),
      settings: { ...SETTINGS, outputSelection: { "*": { "*": WANTED } } },
    }),
    {
      import: (path) => {
        const contents = read(join(modules, "node_modules", path));
        libraries[path] = sha256(contents);
        return { contents };
      },
    },
  ),
);
const errors = (output.errors ?? []).map((error) => error.formattedMessage);
if (errors.length > 0) {
  console.error(errors.join("\n"));
  process.exit(1);
}
for (const name of names) {
  for (const [contract, made] of Object.entries(output.contracts[name])) {
    const artifact = {
      contract,
      compiler: solc.version(),
      settings: SETTINGS,
      source: { [name]: sha256(read(join(sources, name))) },
      libraries: Object.fromEntries(Object.entries(libraries).sort()),
      abi: made.abi,
      bytecode: `0x${made.evm.bytecode.object}`,
      deployedBytecode: `0x${made.evm.deployedBytecode.object}`,
    };
    writeFileSync(join(folder, `${contract}.json`), `${JSON.stringify(artifact, null, 2)}\n`);
  }
}
