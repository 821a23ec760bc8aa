// Compile JSON schemas with ajv in strict mode. argv: schemas; cwd: where npm installed. Prints {version, schemas: {file: problem or ""}}.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename } from "node:path";

const require = createRequire(`${process.cwd()}/`);
const { Ajv2020 } = require("ajv/dist/2020");
const formats = require("ajv-formats").default;

// what editors read and no validator does
const EDITORS = ["defaultSnippets", "errorMessage"];

const schemas = {};
for (const file of process.argv.slice(2)) {
  try {
    const ajv = new Ajv2020({ strict: true, keywords: EDITORS });
    formats(ajv);
    ajv.compile(JSON.parse(readFileSync(file, "utf8")));
    schemas[basename(file)] = "";
  } catch (error) {
    schemas[basename(file)] = error.message;
  }
}
console.log(JSON.stringify({ version: require("ajv/package.json").version, schemas }));
