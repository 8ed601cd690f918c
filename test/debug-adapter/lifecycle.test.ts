// Beginnings and ends of sessions: progress, cancellation, machines left and attached to again.
import type { DebugProtocol } from "@vscode/debugprotocol";
import { afterEach, beforeAll, expect, test } from "vitest";
import { runAdapter } from "../../debug-adapter/node/run-adapter.ts";
import { AdapterClient, adapterPath, SAMPLE } from "../harness/dap-adapter.ts";
import { Transcript } from "../harness/dap-transcript.ts";

let port: number;
const clients: AdapterClient[] = [];

beforeAll(async () => {
  port = await new Promise<number>((resolve, reject) => {
    runAdapter({ port: 0, onListening: resolve }).catch(reject);
  });
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.stop();
});

/** A client of the server that all tests here share, or of a process of its own. */
async function connect(shared = true): Promise<AdapterClient> {
  const client = new AdapterClient(await adapterPath());
  clients.push(client);
  await (shared ? client.start(port) : client.start());
  return client;
}

/** A client at the sample's first CPUID exit. */
async function stoppedClient(): Promise<AdapterClient> {
  const client = await connect();
  await client.runTo({ filters: ["exit:CPUID"] });
  return client;
}

async function attach(client: AdapterClient, args: object = {}): Promise<void> {
  await client.initializeRequest();
  const initialized = client.waitForEvent("initialized");
  await client.send("attach", args);
  await initialized;
  await client.setExceptionBreakpointsRequest({ filters: ["exit:MSR"] });
  await client.configurationDoneRequest();
}

test("a machine left suspended is as it was for who attaches to it", async () => {
  const first = await stoppedClient();
  const [rip, icount] = [await first.value("$rip"), (await first.status()).icount];
  await first.send("disconnect", { suspendDebuggee: true });
  const second = await connect();
  await attach(second);
  const stop = await second.nextStop();
  expect(stop).toMatchObject({ reason: "pause", description: "Paused where it was left" });
  expect([await second.value("$rip"), (await second.status()).icount]).toEqual([rip, icount]);
  // The breakpoints of the one who left are gone, those of the one who came are there.
  expect((await second.go("continue")).description).toMatch(/^Paused on #VMEXIT MSR/);
});

test("machines that wait are told apart by name", async () => {
  for (let i = 0; i < 2; i++) {
    const client = await stoppedClient();
    await client.send("disconnect", { terminateDebuggee: false });
  }
  const client = await connect();
  await client.initializeRequest();
  const refusal = await client.failure("attach", {});
  const names = [...refusal.matchAll(/"(\d+)"/g)].map((found) => found[1]);
  expect(refusal).toMatch(/^Several machines wait: name one of "\d+", "\d+" in "machine"\.$/);
  expect(await client.failure("attach", { machine: "none" })).toMatch(/^No machine "none" waits/);
  expect(await client.failure("attach", { machine: 5 })).toMatch(/must be a text/);
  for (const machine of names) {
    const other = await connect();
    await attach(other, { machine });
    expect((await other.nextStop()).description).toBe("Paused where it was left");
  }
});

test("an adapter that ends with its session keeps no machine", async () => {
  const client = await connect(false);
  const transcript = new Transcript(client);
  const body = await transcript.ask<DebugProtocol.Capabilities>("initialize", { adapterID: "x" });
  expect(body.supportSuspendDebuggee).toBe(false);
  expect(await client.failure("attach", {})).toMatch(/^This adapter ends with its session/);
});

test("disconnecting for good leaves nothing behind", async () => {
  const first = await stoppedClient();
  await first.send("disconnect", { terminateDebuggee: true });
  const second = await connect();
  await second.initializeRequest();
  expect(await second.failure("attach", {})).toMatch(/^No machine waits to be attached to/);
});

test("loading is told as progress to a client that draws it", async () => {
  const client = await connect();
  const seen: string[] = [];
  for (const event of ["progressStart", "progressUpdate", "progressEnd"]) {
    client.on(event, ({ body }) => seen.push(`${event} ${body.title ?? body.message ?? ""}`));
  }
  await client.initializeRequest({
    adapterID: "minvisor",
    pathFormat: "path",
    supportsProgressReporting: true,
  });
  await client.send("launch", SAMPLE);
  expect(seen[0]).toBe("progressStart Loading the machine");
  expect(seen.at(-1)).toBe("progressEnd ");
  expect(seen.filter((each) => /Reading .*minvisor\.elf$/.test(each)).length).toBe(2);
});

test("a request that waits can be cancelled, and nothing else is", async () => {
  const client = await connect();
  await client.initializeRequest();
  const answers: string[] = [];
  const ask = (command: string, args: object) =>
    client.send(command, args).then(
      () => answers.push(`${command} done`),
      (caught: Error) => answers.push(`${command} ${caught.message}`),
    );
  const launched = ask("launch", SAMPLE);
  // The client numbers its requests from 1: initialize, launch, modules.
  const asked = ask("modules", {});
  await client.send("cancel", { requestId: 3 });
  await Promise.all([launched, asked]);
  expect(answers).toEqual(["launch done", "modules cancelled"]);
  await client.send("cancel", { requestId: 2 });
  expect((await client.send("modules", {})).body.totalModules).toBeGreaterThan(0);
});

test("cancelling the progress of a launch ends the launch", async () => {
  const client = await connect();
  await client.initializeRequest({
    adapterID: "minvisor",
    pathFormat: "path",
    supportsProgressReporting: true,
  });
  client.on("progressStart", ({ body }) => void client.send("cancel", body));
  // So many modules that the cancellation comes while they are read.
  const modules = Array<string>(5000).fill("test/guests/build/sample.bin");
  expect(await client.failure("launch", { ...SAMPLE, modules })).toBe("cancelled");
  client.removeAllListeners("progressStart");
  await client.send("launch", SAMPLE);
});

test("sources have checksums and modules their columns", async () => {
  const client = await stoppedClient();
  const { sources } = (await client.send("loadedSources", {})).body;
  const main = sources.find((each: DebugProtocol.Source) => each.name === "main.c");
  expect(main.checksums).toEqual([
    { algorithm: "SHA256", checksum: expect.stringMatching(/^[0-9a-f]{64}$/) },
  ]);
  const { modules } = (await client.send("modules", {})).body;
  expect(modules[0]).toMatchObject({ name: "minvisor.elf", world: "host", slide: "0x0" });
});
