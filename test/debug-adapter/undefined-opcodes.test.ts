/** An opcode that the machine does not have is #UD to the guest, and the user is told. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { afterAll, expect, test } from "vitest";
import { buildImage, multibootSource } from "../emulator/loader/build-image.ts";
import { AdapterClient, adapterPath } from "../harness/dap-adapter.ts";

const folder = mkdtempSync(join(tmpdir(), "minvisor-undefined-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("an output event, once, and a count", async () => {
  const kernel = join(folder, "kernel.elf");
  // VADDPS: AVX is not there; without an IDT the #UD ends in a shutdown.
  const code = "lidt none\n .byte 0xc5, 0xf8, 0x58, 0xc1\n none: .word 0\n .long 0";
  writeFileSync(kernel, buildImage(multibootSource(3, "", code)));
  const client = new AdapterClient(await adapterPath());
  await client.start();
  const told: string[] = [];
  client.on("output", ({ body }: DebugProtocol.OutputEvent) => {
    if (body.category === "important") told.push(body.output);
  });
  const stop = await client.runTo({ filters: ["shutdown"] }, { kernel, memory: "64M" });
  expect(stop.text).toContain("#UD");
  expect(told).toEqual([
    expect.stringMatching(
      /^#UD at 0x[0-9a-f]+: the machine has no instruction c5 f8 58 c1 \.\.\n$/,
    ),
  ]);
  const status = (await client.customRequest("minvisor/status", {})) as DebugProtocol.Response;
  expect(status.body.undefinedOpcodes).toEqual({ "c5 f8 58 c1": 1 });
  await client.stop();
});
