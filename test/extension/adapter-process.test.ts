// The window's adapter process: sessions on its pipe, a machine that waits in it, its end.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { AdapterProcess } from "../../extension/adapter-process.ts";
import { AdapterClient, adapterPath } from "../harness/dap-adapter.ts";
import { repository } from "../tidy/sources.ts";

let adapter: AdapterProcess | undefined;
const clients: AdapterClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.stop();
  adapter?.dispose();
});

/** The client knows ports only: one of the loopback leads to the pipe. */
async function connected(path: string): Promise<AdapterClient> {
  const bridge = createServer((socket) => void socket.pipe(connect(path)).pipe(socket));
  bridge.listen(0, "127.0.0.1");
  await once(bridge, "listening");
  const client = new AdapterClient(await adapterPath());
  clients.push(client);
  await client.start((bridge.address() as AddressInfo).port);
  bridge.close(); // takes no other connection
  return client;
}

test("a machine that one session leaves is attached to by the next", async () => {
  adapter = new AdapterProcess(await adapterPath());
  const path = await adapter.listening();
  expect(await adapter.listening()).toBe(path);

  expect(statSync(dirname(path)).mode & 0o077).toBe(0); // nobody else may connect
  const first = await connected(path);
  await first.runTo({ filters: ["exit:CPUID"] });
  const { icount } = await first.status();
  await first.send("disconnect", { suspendDebuggee: true });

  const second = await connected(path);
  await second.initializeRequest();
  const initialized = second.waitForEvent("initialized");
  await second.send("attach", {});
  await initialized;
  await second.configurationDoneRequest();
  expect((await second.nextStop()).description).toBe("Paused where it was left");
  expect((await second.status()).icount).toBe(icount);
});

test("where it cannot start the reason is told, each time that it is tried", async () => {
  adapter = new AdapterProcess(join(repository, "dist", "no-such-adapter.cjs"));
  await expect(adapter.listening()).rejects.toThrow(/no-such-adapter\.cjs ended: exit code 1/);
  await expect(adapter.listening()).rejects.toThrow(/ended/);
});

test("one that has ended is started anew", async () => {
  adapter = new AdapterProcess(await adapterPath());
  const path = await adapter.listening();
  adapter.dispose();
  await expect.poll(() => adapter!.listening(), { timeout: 20_000 }).not.toBe(path);
});

test("it ends when its parent's end of its standard input closes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "minvisor-pipe-"));
  const args = [await adapterPath(), "--pipe", join(folder, "pipe")];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.stdin.end();
  const [code] = (await once(child, "exit")) as [number];
  expect(code).toBe(0);
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});
