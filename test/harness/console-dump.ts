/** What a bare kernel writes to the debug console until it leaves through port 0xF4: on QEMU and on our machine. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadKernel, Machine } from "../../emulator/index.ts";
import { QEMU } from "../../scripts/qemu-boot.mjs";

export const RAM_MIB = 64;

interface Module {
  readonly name: string;
  readonly args?: string;
  readonly bytes: Uint8Array;
}

/** Throws where QEMU is missing. */
export function dumpOnQemu(
  kernel: Uint8Array,
  options: { readonly modules?: readonly Module[]; readonly arguments?: readonly string[] } = {},
): Uint8Array {
  const { modules = [] } = options;
  const folder = mkdtempSync(join(tmpdir(), "console-dump-"));
  try {
    for (const { name, bytes } of [{ name: "kernel", bytes: kernel }, ...modules]) {
      writeFileSync(join(folder, name), bytes);
    }
    const initrd = modules.map(({ name, args }) => (args ? `${name} ${args}` : name)).join(",");
    const run = spawnSync(
      QEMU,
      [
        ...["-machine", "pc", "-accel", "tcg", "-m", String(RAM_MIB), "-kernel", "kernel"],
        ...["-nodefaults", "-display", "none", "-no-reboot", "-debugcon", "file:dump"],
        ...["-device", "isa-debug-exit,iobase=0xf4,iosize=1"],
        ...(modules.length === 0 ? [] : ["-initrd", initrd]),
        ...(options.arguments ?? []),
      ],
      { cwd: folder, timeout: 30_000 },
    );
    if (run.error) throw new Error(`${QEMU} is missing: Debian package qemu-system-x86`);
    return new Uint8Array(readFileSync(join(folder, "dump")));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Throws where the kernel does not leave within a million instructions. */
export function dumpOnOurs(kernel: Uint8Array): Uint8Array {
  const machine = new Machine({ ramBytes: RAM_MIB * 2 ** 20 });
  const { ramBytes } = machine.memory;
  machine.load(loadKernel({ kernel: { name: "kernel", bytes: kernel }, ramBytes }));
  const bytes: number[] = [];
  machine.observe({
    name: "debug console",
    on: {
      console: ({ byte }) => {
        bytes.push(byte);
        return undefined;
      },
    },
  });
  const { reason } = machine.run({ instructions: 1_000_000 });
  if (reason !== "debugExit") throw new Error(`The kernel ended by "${reason}"`);
  return Uint8Array.from(bytes);
}
