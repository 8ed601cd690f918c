// The main job in a terminal: a DAP session that boots Linux under MinVisor and stops on an exit.

import { KERNEL_ARGUMENTS, makeLinuxGuest, READY_LINE } from "../guest-linux.mjs";
import { DapClient } from "./dap-client.mjs";
import { inRepository, repository } from "./paths.mjs";
import { Unusable } from "./run.mjs";

const EXIT_FILTER = "exit:CPUID";
const PRINTED_SCOPES = ["Exit", "Registers", "Control registers"];
const heading = (text) => console.log(`\n== ${text}`);

const LAUNCH = {
  kernel: "minvisor/build/minvisor.elf",
  modules: [`cache/linux/vmlinuz ${KERNEL_ARGUMENTS}`, "cache/linux/initrd.cpio"],
  memory: "512M",
  serial: ["stdio", "null"],
  cwd: repository,
  sourceMap: { ".": repository },
  pacing: false,
};

function getLinux() {
  try {
    makeLinuxGuest();
  } catch (error) {
    const reason = String(error.stderr || error.message).trim();
    throw new Unusable(`The Linux guest cannot be made (npm run guest:linux): ${reason}`);
  }
}

/** Collects what the guest prints and passes it on; `seen` tells of a text once it is there. */
function watchConsole(client) {
  let text = "";
  const waiting = new Map();
  client.onEvent((name, body) => {
    if (name !== "minvisor/console" || body.port !== "com1") return;
    process.stdout.write(body.text);
    text += body.text;
    for (const [wanted, resolve] of waiting) if (text.includes(wanted)) resolve();
  });
  return {
    seen: (wanted) =>
      new Promise((resolve) => {
        if (text.includes(wanted)) resolve();
        else waiting.set(wanted, resolve);
      }),
  };
}

/** Starts the machine with the breakpoints that `filters` are. */
async function launch(client, filters) {
  const initialized = client.waitFor("initialized", (name) => name === "initialized");
  await client.request("initialize", {
    clientID: "minvisor-headless",
    adapterID: "minvisor",
    pathFormat: "path",
    linesStartAt1: true,
    columnsStartAt1: true,
    supportsMemoryReferences: true,
  });
  const launched = client.request("launch", LAUNCH);
  await Promise.race([initialized, launched.then(() => initialized)]);
  await client.request("setExceptionBreakpoints", { filters });
  await client.request("configurationDone");
  await launched;
}

async function printStack(client, threadId) {
  const { stackFrames } = await client.request("stackTrace", { threadId });
  heading("call stack");
  for (const frame of stackFrames) {
    const place = frame.source ? `  ${frame.source.path ?? frame.source.name}:${frame.line}` : "";
    console.log(`  ${frame.name}${place}`);
  }
  return stackFrames[0];
}

async function printScopes(client, frameId) {
  const { scopes } = await client.request("scopes", { frameId });
  for (const scope of scopes) {
    if (!PRINTED_SCOPES.includes(scope.name)) continue;
    const { variables } = await client.request("variables", {
      variablesReference: scope.variablesReference,
    });
    heading(scope.name);
    for (const { name, value } of variables) console.log(`  ${name.padEnd(14)} ${value}`);
  }
}

async function printExitInfo(client, threadId) {
  const { exceptionId, description } = await client.request("exceptionInfo", { threadId });
  heading(`stopped: ${exceptionId}`);
  if (description) console.log(`  ${description.replaceAll("\n", "\n  ")}`);
}

async function printExits(client) {
  const { total, byReason } = await client.request("minvisor/exits");
  heading(`${total} exits by reason`);
  const rows = Object.entries(byReason).sort(([, a], [, b]) => b - a);
  for (const [reason, count] of rows) console.log(`  ${reason.padEnd(20)} ${count}`);
  return total;
}

async function runOn(client, threadId, guestConsole) {
  await client.request("setExceptionBreakpoints", { filters: ["shutdown", "invariant"] });
  heading(`running to ${READY_LINE}`);
  const stopped = client.waitFor("a stop", (name) => name === "stopped" || name === "terminated");
  await client.request("continue", { threadId });
  const early = await Promise.race([guestConsole.seen(READY_LINE), stopped]);
  if (early)
    throw new Unusable(`The machine ${early.name} before ${READY_LINE}: ${early.body?.text ?? ""}`);
  stopped.catch(() => {}); // the adapter ends after the disconnect
}

/** Resolves when all of it was seen; Unusable says what was not. */
export async function runHeadless() {
  getLinux();
  const client = new DapClient(process.execPath, [inRepository("dist", "adapter.cjs")]);
  try {
    const guestConsole = watchConsole(client);
    const stop = client.waitFor("the first stop", (name) => name === "stopped");
    heading(`booting Linux under MinVisor, to the first ${EXIT_FILTER}`);
    await launch(client, [EXIT_FILTER]);
    const { body } = await stop;
    await printExitInfo(client, body.threadId);
    const top = await printStack(client, body.threadId);
    await printScopes(client, top.id);
    await runOn(client, body.threadId, guestConsole);
    await client.request("pause", { threadId: body.threadId });
    const total = await printExits(client);
    await client.request("disconnect", { terminateDebuggee: true });
    if (total === 0) throw new Unusable("MinVisor took no exits: the guest did not run under it");
  } finally {
    client.dispose();
  }
}
