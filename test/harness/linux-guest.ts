// Debian's Linux on our machine: the images, a machine that is about to start them, and what it printed.

import { readFileSync } from "node:fs";
import {
  type BootImage,
  loadKernel,
  Machine,
  type MachineOptions,
  type RunResult,
} from "../../emulator/index.ts";
import { MINVISOR_ELF } from "../../scripts/build-minvisor.mjs";
import {
  INITRD_PATH,
  KERNEL_ARGUMENTS,
  KERNEL_PATH,
  makeLinuxGuest,
} from "../../scripts/guest-linux.mjs";

const MIB = 2 ** 20;

/** Fetches what is missing of Linux; throws with the reason where it cannot. */
export function makeGuests(): void {
  makeLinuxGuest();
}

const file = (name: string): { name: string; bytes: Uint8Array } => ({
  name,
  bytes: new Uint8Array(readFileSync(name)),
});

export interface LinuxBoot {
  /** MiB; default 512. */
  readonly memory?: number;
  /** MinVisor's own options. */
  readonly append?: string;
  /** Linux's arguments. */
  readonly arguments?: string;
}

/** MinVisor with Linux as its modules. */
export function linuxUnderMinVisor(boot: LinuxBoot = {}): BootImage {
  return loadKernel({
    kernel: file(MINVISOR_ELF),
    append: boot.append ?? "",
    modules: [
      { ...file(KERNEL_PATH), args: boot.arguments ?? KERNEL_ARGUMENTS },
      file(INITRD_PATH),
    ],
    ramBytes: (boot.memory ?? 512) * MIB,
  });
}

/** A machine with the image loaded, and its serial ports' output as it grows. */
export class Booted {
  constructor(image: BootImage, memory: number, options: Partial<MachineOptions> = {}) {
    this.machine = new Machine({ ...options, ramBytes: memory * MIB });
    this.machine.load(image);
    this.machine.observe({
      name: "serial ports",
      on: {
        console: ({ source, byte }) => {
          const text = String.fromCharCode(byte);
          if (source === "com1") this.com1 += text;
          else if (source === "com2") this.com2 += text;
          return undefined;
        },
      },
    });
  }
  readonly machine: Machine;
  com1 = "";
  com2 = "";

  /** The guest's console as a terminal shows it. */
  get console(): string {
    return this.com1.replaceAll("\r", "");
  }

  /** Runs until something else than a budget ends the run, or the instructions are used up. */
  runToEnd(instructions: number): RunResult {
    const end = this.machine.icount + instructions;
    for (;;) {
      const left = end - this.machine.icount;
      if (left <= 0) return { reason: "budget" };
      const result = this.machine.run({ instructions: Math.min(left, 50_000_000) });
      if (result.reason !== "budget" && (result.reason !== "idle" || result.forever)) return result;
    }
  }
}

export const bootLinux = (boot: LinuxBoot = {}): Booted =>
  new Booted(linuxUnderMinVisor(boot), boot.memory ?? 512);
