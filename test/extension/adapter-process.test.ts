// The window's adapter process: sessions on its port, a machine that waits in it, its end.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
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

async function connected(port: number): Promise<AdapterClient> {
  const client = new AdapterClient(await adapterPath());
  clients.push(client);
  await client.start(port);
  return client;
}

test("a machine that one session leaves is attached to by the next", async () => {
  adapter = new AdapterProcess(await adapterPath());
  const port = await adapter.listening();
  expect(await adapter.listening()).toBe(port);

  const first = await connected(port);
  await first.runTo({ filters: ["exit:CPUID"] });
  const { icount } = await first.status();
  await first.send("disconnect", { suspendDebuggee: true });

  const second = await connected(port);
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
  const port = await adapter.listening();
  adapter.dispose();
  await expect.poll(() => adapter!.listening(), { timeout: 20_000 }).not.toBe(port);
});

test("it ends when its parent's end of its standard input closes", async () => {
  const child = spawn(process.execPath, [await adapterPath(), "--port"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.stdin.end();
  const [code] = (await once(child, "exit")) as [number];
  expect(code).toBe(0);
});
