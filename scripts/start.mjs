// `npm start`: sets the machine up and opens the editor on the sample workspace; with --headless,
// debugs a Linux boot in the terminal instead.

import { spawn } from "node:child_process";
import { parseArgs } from "node:util";
import { bootstrap } from "./bootstrap.mjs";
import { inRepository, repository, sampleWorkspace } from "./lib/paths.mjs";
import { onPath, runMain, Unusable } from "./lib/run.mjs";

const USAGE = "usage: npm start [-- --headless] [-- --port N]";

function readArguments() {
  try {
    const { values } = parseArgs({
      options: { headless: { type: "boolean" }, port: { type: "string" } },
    });
    const port = values.port === undefined ? undefined : Number(values.port);
    if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65536))
      throw new Error(`--port must be a port number; it is "${values.port}"`);
    return { headless: values.headless ?? false, port };
  } catch (error) {
    throw new Unusable(`${error.message}\n${USAGE}`);
  }
}

function openDesktopEditor(code) {
  const args = [`--extensionDevelopmentPath=${repository}`, sampleWorkspace];
  console.log(`Opening ${code} on ${sampleWorkspace}`);
  spawn(code, args, { detached: true, stdio: "ignore" }).unref();
}

/** Serves the workbench on loopback until Ctrl+C. */
async function serveEditor(port) {
  const workbench = await import("./workbench.mjs");
  workbench.installWorkbench();
  workbench.buildNativeModules();
  const { server, stop, url } = await workbench.startWorkbench(
    inRepository("cache", "workbench", "user-data"),
    { port },
  );
  console.log(`\nOpen this in a browser (Ctrl+C ends it):\n  ${url(sampleWorkspace)}\n`);
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, stop);
  await new Promise((resolve) => server.on("close", resolve));
}

async function main() {
  const { headless, port } = readArguments();
  await bootstrap();
  if (headless) {
    const { runHeadless } = await import("./lib/headless.mjs");
    await runHeadless();
    return;
  }
  const code = port === undefined ? onPath("code") : undefined;
  if (code) openDesktopEditor(code);
  else await serveEditor(port);
}

await runMain(main);
