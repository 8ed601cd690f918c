/** Reads the files of a launch configuration and makes the machine that boots them. */
import { type BootImage, loadKernel, Machine } from "../emulator/index.ts";
import { type InvariantText, SHIPPED_INVARIANTS } from "../invariants/index.ts";
import { FormatError } from "../symbols/dwarf/reader.ts";
import { Debuggee } from "./debuggee.ts";
import { GuestKernel } from "./guest-kernel.ts";
import { type Image, Images, readImage } from "./images.ts";
import type { LaunchConfiguration } from "./launch-arguments.ts";
import type { Task } from "./progress.ts";
import type { FileReader } from "./services.ts";
import { messageOf } from "./text.ts";

/** Everything that was read: enough to boot again without touching a file. */
export interface BootPlan {
  readonly configuration: LaunchConfiguration;
  readonly image: BootImage;
  readonly images: Images;
  /** The kernel's file, where it is an ELF file. */
  readonly kernelElf: Uint8Array | undefined;
  readonly invariantTexts: readonly InvariantText[];
  /** What the user should know, one sentence each. */
  readonly notes: readonly string[];
}

/** Rejects with an Error of one sentence that names the file or attribute and the reason, or as `task` does. */
export async function planBoot(
  configuration: LaunchConfiguration,
  files: FileReader,
  task: Task,
): Promise<BootPlan> {
  const { cwd, memoryBytes: ramBytes } = configuration;
  // The guest sees the names as they were given: what it does must not depend on the folder.
  const read = async (name: string) => {
    const path = files.resolve(name, cwd);
    await task.report(`Reading ${path}`);
    return { name, path, bytes: await files.read(path) };
  };
  const kernel = await read(configuration.kernel);
  const modules = [];
  for (const { path, args } of configuration.modules) {
    const file = await read(path);
    modules.push(args === undefined ? file : { ...file, args });
  }
  const { append } = configuration;
  const image = loadKernel({
    kernel,
    modules,
    ramBytes,
    ...(append === undefined ? {} : { append }),
  });
  const notes: string[] = [];
  const found: Image[] = [];
  const add = async (
    path: string,
    bytes: Uint8Array,
    world: "host" | "guest",
    required: boolean,
  ) => {
    if (!required && !isElf(bytes)) return;
    await task.report(`Reading the symbols of ${path}`);
    try {
      found.push(await readImage({ path, bytes, world }, configuration, files));
    } catch (error) {
      if (!(error instanceof FormatError) || required) throw error;
      notes.push(`No symbols: ${messageOf(error)}`);
    }
  };
  await add(kernel.path, kernel.bytes, "host", false);
  for (const { path, bytes } of modules) await add(path, bytes, "guest", false);
  for (const { path, world } of configuration.symbols) {
    const file = await read(path);
    await add(file.path, file.bytes, world, true);
  }
  const invariantTexts: InvariantText[] = [...SHIPPED_INVARIANTS];
  for (const name of configuration.invariantFiles) {
    const { path, bytes } = await read(name);
    invariantTexts.push({ path, text: new TextDecoder().decode(bytes) });
  }
  const kernelElf = isElf(kernel.bytes) ? kernel.bytes : undefined;
  return { configuration, image, images: new Images(found), kernelElf, invariantTexts, notes };
}

/** A machine at the first instruction of the plan's kernel. */
export function bootMachine(plan: BootPlan): Machine {
  const machine = new Machine({ ramBytes: plan.configuration.memoryBytes });
  machine.load(plan.image);
  return machine;
}

/** Such a machine with all that the debugger keeps about it. */
export function boot(plan: BootPlan): Debuggee {
  const machine = bootMachine(plan);
  const debuggee = new Debuggee(machine, plan.images.fresh(), plan.configuration);
  debuggee.kernel = new GuestKernel(debuggee);
  return debuggee;
}

function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}
