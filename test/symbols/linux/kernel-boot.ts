// Debian's kernel in the machine, with the debugger's view of it and an /init of the test's own.
import { readFileSync } from "node:fs";
import { Debuggee } from "../../../debug-adapter/debuggee.ts";
import { GuestKernel } from "../../../debug-adapter/images/guest-kernel.ts";
import { type Image, Images } from "../../../debug-adapter/images.ts";
import { readLaunchArguments } from "../../../debug-adapter/launch-arguments.ts";
import { loadKernel, type RunResult } from "../../../emulator/index.ts";
import { MINVISOR_ELF } from "../../../scripts/build-minvisor.mjs";
import { cpioArchive, INITRD_PATH, KERNEL_PATH } from "../../../scripts/guest-linux.mjs";
import { Booted } from "../../harness/linux-guest.ts";

const MEMORY = 512;
/** KASLR stays on. */
export const ARGUMENTS = "console=ttyS0,115200 cryptomgr.notests=1 panic=-1";

export interface KernelBootOptions {
  readonly arguments?: string;
  readonly underMinVisor?: boolean;
  /** False: nobody looks for the kernel. */
  readonly isWatched?: boolean;
  /** A script for busybox's sh; without it the guest's usual one. */
  readonly init?: string;
  readonly images?: readonly Image[];
}

/** An archive whose files replace those of the ones before it. */
function initrd(init: string | undefined): Uint8Array {
  const usual = readFileSync(INITRD_PATH);
  if (init === undefined) return new Uint8Array(usual);
  const data = Buffer.from(init);
  const ours = cpioArchive([{ name: "init", mode: 0o100755, data }]);
  const both = new Uint8Array(usual.length + ours.length);
  both.set(usual);
  both.set(ours, usual.length);
  return both;
}

const minvisor = () => ({ name: MINVISOR_ELF, bytes: new Uint8Array(readFileSync(MINVISOR_ELF)) });

export class KernelBoot {
  readonly booted: Booted;
  readonly debuggee: Debuggee;
  readonly kernel: GuestKernel | undefined;
  /** What the user is told. */
  readonly told: string[] = [];

  constructor(options: KernelBootOptions = {}) {
    const kernel = { name: "vmlinuz", bytes: new Uint8Array(readFileSync(KERNEL_PATH)) };
    const archive = { name: "initrd", bytes: initrd(options.init) };
    const args = options.arguments ?? ARGUMENTS;
    const ramBytes = MEMORY * 2 ** 20;
    const image = options.underMinVisor
      ? loadKernel({ kernel: minvisor(), modules: [{ ...kernel, args }, archive], ramBytes })
      : loadKernel({ kernel, append: args, modules: [archive], ramBytes });
    this.booted = new Booted(image, MEMORY);
    const configuration = readLaunchArguments({ kernel: "vmlinuz" });
    this.debuggee = new Debuggee(this.machine, new Images(options.images ?? []), configuration);
    if (options.isWatched === false) return;
    this.kernel = new GuestKernel(this.debuggee);
    this.kernel.tell = (text) => this.told.push(text);
    this.debuggee.kernel = this.kernel;
  }

  get machine() {
    return this.booted.machine;
  }

  get world() {
    return this.debuggee.world;
  }

  /** The kernel's image, once it was found. */
  get image(): Image | undefined {
    return this.debuggee.images.all.find((each) => each.symbols.symbols.named("_text").length > 0);
  }

  /** Runs until the kernel was found. */
  runToKernel(): void {
    let found = false;
    const end = this.debuggee.images.onChanged(() => {
      found = true;
    });
    for (let i = 0; i < 300 && !found; i++) this.booted.runToEnd(1_000_000);
    end();
    if (!found) throw new Error("no kernel was found in 300 M instructions");
  }

  /** Runs to the next time that the instruction at `address` is about to run. */
  runTo(address: bigint, instructions = 1_000_000_000): RunResult {
    const { engine } = this.machine.cpu;
    engine.addBreakpoint(address);
    const detach = this.machine.observe({
      name: "there",
      on: { execute: ({ linear }) => (linear === address ? "stop" : undefined) },
    });
    const result = this.booted.runToEnd(instructions);
    detach();
    engine.removeBreakpoint(address);
    return result;
  }

  address(name: string): bigint {
    const [symbol] = this.image?.symbols.symbols.named(name) ?? [];
    if (symbol === undefined) throw new Error(`the kernel has no symbol ${name}`);
    return symbol.address;
  }
}
