// Ask the YAML language server what an editor asks it. argv: the schema; stdin: {problems: {name: text}, completions:
// {name: [text, line, character]}}; cwd: where npm installed. Prints {version, problems: {name: ["line:column message"]},
// completions: {name: {label: text that is put in}}}.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.cwd()}/`);
const rpc = require("vscode-jsonrpc/node");
const home = dirname(require.resolve("yaml-language-server/package.json"));
const schema = pathToFileURL(process.argv[2]).href;
const asked = JSON.parse(readFileSync(0, "utf8"));

const child = spawn(process.execPath, [join(home, "bin", "yaml-language-server"), "--stdio"]);
const server = rpc.createMessageConnection(
  new rpc.StreamMessageReader(child.stdout),
  new rpc.StreamMessageWriter(child.stdin),
);
const yaml = { schemas: { [schema]: "*" }, schemaStore: { enable: false }, validate: true, completion: true };
const waiting = new Map();
server.onNotification("textDocument/publishDiagnostics", (told) => waiting.get(told.uri)?.(told.diagnostics));
server.onRequest("workspace/configuration", (request) =>
  request.items.map((item) => (item.section === "yaml" ? yaml : {})),
);
server.onRequest("client/registerCapability", () => null);
server.listen();
const capabilities = {
  workspace: { configuration: true, didChangeConfiguration: { dynamicRegistration: true } },
  textDocument: { completion: { completionItem: { snippetSupport: true } }, publishDiagnostics: {} },
};
await server.sendRequest("initialize", { processId: process.pid, rootUri: null, capabilities });
await server.sendNotification("initialized", {});
await server.sendNotification("workspace/didChangeConfiguration", { settings: { yaml } });

async function open(name, text) {
  const uri = `file:///interop/${name}.yaml`;
  const told = new Promise((resolve) => waiting.set(uri, resolve));
  const textDocument = { uri, languageId: "yaml", version: 1, text };
  await server.sendNotification("textDocument/didOpen", { textDocument });
  return [uri, await told];
}

const problems = {};
for (const [name, text] of Object.entries(asked.problems)) {
  const [, told] = await open(name, text);
  problems[name] = told.map(({ range, message }) => `${range.start.line + 1}:${range.start.character + 1} ${message}`);
}
const completions = {};
for (const [name, [text, line, character]] of Object.entries(asked.completions)) {
  const [uri] = await open(name, text);
  const answer = await server.sendRequest("textDocument/completion", {
    textDocument: { uri },
    position: { line, character },
  });
  const items = answer.items ?? answer;
  completions[name] = Object.fromEntries(items.map((item) => [item.label, item.insertText ?? item.textEdit?.newText]));
}
console.log(JSON.stringify({ version: require("yaml-language-server/package.json").version, problems, completions }));
child.kill();
process.exit(0);
