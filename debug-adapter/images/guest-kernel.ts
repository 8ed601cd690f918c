/** Finds the Linux kernel in the machine when it comes up, and makes an image of what it says of itself. */

import type { KernelBytes } from "../../symbols/linux/kernel-bytes.ts";
import {
  isLinuxKernel,
  otherBuild,
  slideByBanner,
  slideOf,
  withKernelFile,
} from "../../symbols/linux/kernel-file.ts";
import { type KernelInMemory, readKernel } from "../../symbols/linux/read-kernel.ts";
import { KERNEL_START } from "../../symbols/linux/symbol-list.ts";
import { type RunningTask, TaskReader } from "../../symbols/linux/task.ts";
import { movedBy } from "../../symbols/moved-symbols.ts";
import type { Debuggee } from "../debuggee.ts";
import { Image, kernelSegments } from "../images.ts";
import type { RegisterFile, World } from "../register-file.ts";
import { hex } from "../text.ts";
import type { CurrentTask, KernelSource, Task } from "./guest-task.ts";
import { type KernelMemory, readImageAround } from "./kernel-memory.ts";

/** A kernel is looked for when it may have come up; after each failure it is left alone for longer. */
const FIRST_PAUSE = 1_000_000;
const MOST_TRIES = 12;
/** Modules and what else is no part of the image follow (Documentation/arch/x86/x86_64/mm.rst). */
const KERNEL_END = 0xffffffff_c0000000n;

interface Found {
  readonly world: World;
  readonly kernel: KernelInMemory;
  readonly image: Image;
  readonly tasks: TaskReader | undefined;
}

export class GuestKernel implements KernelSource {
  tell: (text: string) => void = () => {};
  isAwaited: () => boolean = () => true;
  private readonly debuggee: Debuggee;
  private tries = 0;
  private nextTry = 0;
  private found: Found | undefined;

  constructor(debuggee: Debuggee) {
    this.debuggee = debuggee;
    const { machine } = debuggee;
    machine.observe({
      name: "guest kernel",
      on: {
        // The kernel's first code at its own addresses sets CR0 and EFER anew (head_64.S).
        paging: ({ register, guest }) => {
          if (register === "cr3" || !this.isAwaited()) return undefined;
          this.lookAt(guest ? "guest" : "host", machine.state.rip);
          return undefined;
        },
        exit: ({ guestRip }) => {
          if (this.found === undefined && this.isAwaited()) this.lookAt("guest", guestRip);
          return undefined;
        },
      },
    });
  }

  look(): void {
    for (const world of ["guest", "host"] as const) {
      const rip = this.debuggee.registers(world)?.get("rip");
      if (rip !== undefined) this.lookAt(world, rip);
    }
  }

  private lookAt(world: World, rip: bigint): void {
    if (rip < KERNEL_START || rip >= KERNEL_END) return;
    const { found } = this;
    if (found !== undefined) {
      const isInside = found.kernel.start <= rip && rip < found.kernel.end;
      if (isInside || found.world !== world || !this.hasGone(found)) return;
      this.forget();
    }
    const { icount } = this.debuggee.machine;
    if (icount < this.nextTry || this.tries >= MOST_TRIES) return;
    this.nextTry = icount + FIRST_PAUSE * 2 ** this.tries;
    this.tries++;
    const memory = readImageAround(this.memory(world), rip);
    if (memory === undefined) return;
    const kernel = readKernel(memory);
    if (kernel !== undefined) this.cameUp(world, kernel);
    else this.placeFiles(world, memory);
  }

  /** A kernel without a table of its symbols: the user's file alone names it. */
  private placeFiles(world: World, memory: KernelBytes): void {
    const { images } = this.debuggee;
    for (const image of images.all) {
      if (image.world !== world || image.slide !== undefined) continue;
      const slide = slideByBanner(image.parts.symbols, memory);
      if (slide === undefined) continue;
      this.tries = MOST_TRIES;
      this.tell(
        `Guest kernel: ${image.name}, ${slideInWords(slide)}; it has no symbols of its own.`,
      );
      images.move(image, slide);
    }
  }

  /** Another kernel came in its place. */
  private hasGone({ world, kernel }: Found): boolean {
    return this.debuggee.readLinear(world, kernel.start, 1).length === 0;
  }

  private forget(): void {
    if (this.found) this.debuggee.images.remove(this.found.image);
    this.found = undefined;
    this.tries = 0;
  }

  private cameUp(world: World, kernel: KernelInMemory): void {
    this.tell(inWords(kernel));
    const image = this.fromFile(world, kernel) ?? imageOf(world, kernel);
    const tasks = TaskReader.of(movedBy(kernel.symbols, kernel.slide));
    this.found = { world, kernel, image, tasks };
    this.debuggee.images.add(image);
  }

  /** The image of the file that the user gave for this kernel, where it runs. */
  private fromFile(world: World, kernel: KernelInMemory): Image | undefined {
    const { images } = this.debuggee;
    for (const image of images.all) {
      const { symbols: file } = image.parts;
      if (image.world !== world || !isLinuxKernel(file)) continue;
      const problem = otherBuild(file, kernel);
      if (problem === undefined) {
        images.remove(image);
        const symbols = withKernelFile(file, kernel);
        return new Image({ ...image.parts, symbols, slide: slideOf(file, kernel) });
      }
      this.tell(
        `${image.path} is of another build than the kernel in the guest (${problem}): ` +
          "its symbols are not used. Give the file of this build.",
      );
    }
    return undefined;
  }

  current(): CurrentTask | undefined {
    const { found } = this;
    const address = this.running()?.address;
    const type = found?.image.symbols.typeNamed("struct task_struct");
    if (found === undefined || address === undefined || type === undefined) return undefined;
    return { world: found.world, address, type };
  }

  task(): Task | undefined {
    return this.running();
  }

  private running(): RunningTask | undefined {
    const { found, debuggee } = this;
    if (found?.tasks === undefined) return undefined;
    const registers = debuggee.registers(found.world);
    if (registers === undefined) return undefined;
    return found.tasks.read({
      read: (address, length) => debuggee.readLinear(found.world, address, length),
      gsBases: gsBases(debuggee, registers),
    });
  }

  private memory(world: World): KernelMemory {
    const { spaces, machine } = this.debuggee;
    const space = spaces.resolve({ kind: world === "guest" ? "gva" : "hva" });
    return {
      translate: (address) => spaces.translate({ space, address }),
      read: (physical, length) => machine.memory.peek(physical, length),
    };
  }
}

function imageOf(world: World, { slide, symbols, parts }: KernelInMemory): Image {
  const [name, segments] = ["vmlinux", kernelSegments(parts)];
  return new Image({ name, path: name, world, symbols, segments, clientPaths: new Map(), slide });
}

/** After #VMEXIT the guest's GS may still be the CPU's: VMRUN and #VMEXIT do not switch its base. */
function gsBases({ machine, spaces }: Debuggee, registers: RegisterFile): (bigint | undefined)[] {
  const { state } = machine;
  const saved = spaces.vmcb?.read("KernelGsBase");
  return [registers.segment("gs")?.base, state.gs.base, state.kernelGsBase, saved];
}

function inWords({ symbols, slide, version }: KernelInMemory): string {
  const count = symbols.symbols.count.toLocaleString("en-US");
  const name = version === undefined ? "Linux" : `Linux ${version}`;
  return `Guest kernel: ${name}, ${count} symbols, ${slideInWords(slide)}.`;
}

const slideInWords = (slide: bigint): string =>
  slide === 0n ? "no KASLR slide" : `KASLR slide ${hex(slide)}`;
