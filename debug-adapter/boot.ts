/** Reads the files of a launch configuration and makes the machine that boots them. */
import {
  type BootImage,
  type Codec,
  loadKernel,
  Machine,
  type Recording,
  type RecordingConfiguration,
  RecordingError,
  readRecording,
} from "../emulator/index.ts";
import { type InvariantText, SHIPPED_INVARIANTS } from "../invariants/index.ts";
import { FormatError } from "../symbols/dwarf/reader.ts";
import { Debuggee } from "./debuggee.ts";
import { GuestKernel } from "./images/guest-kernel.ts";
import { type Image, Images, readImage } from "./images.ts";
import {
  type LaunchConfiguration,
  type RecordedRunArguments,
  recordedConfiguration,
} from "./launch-arguments.ts";
import type { Task } from "./progress.ts";
import type { FileReader } from "./services.ts";
import { messageOf, UserError } from "./text.ts";

/** Everything that was read: enough to boot again without touching a file. */
export interface BootPlan {
  readonly configuration: LaunchConfiguration;
  readonly image: BootImage;
  /** What the machine starts from, as a recording of the run has it. */
  readonly start: RecordingConfiguration;
  /** The run that there has been already; undefined where one begins. */
  readonly recorded: { readonly recording: Recording; readonly at: "start" | "end" } | undefined;
  readonly images: Images;
  /** The kernel's file, where it is an ELF file. */
  readonly kernelElf: Uint8Array | undefined;
  readonly invariantTexts: readonly InvariantText[];
  /** What the user should know, one sentence each. */
  readonly notes: readonly string[];
  /** The same, of what must not be overlooked. */
  readonly warnings: readonly string[];
}

/** Rejects with an Error of one sentence that names the file or attribute and the reason, or as `task` does. */
export async function planBoot(
  configuration: LaunchConfiguration,
  files: FileReader,
  task: Task,
): Promise<BootPlan> {
  const { cwd, memoryBytes: ramBytes, append } = configuration;
  const read = readingFrom(cwd, files, task);
  // The guest sees the names as they were given: what it does must not depend on the folder.
  const named = async (name: string) => ({ name, bytes: (await read(name)).bytes });
  const kernel = await named(configuration.kernel);
  const modules = [];
  for (const { path, args } of configuration.modules) {
    const file = await named(path);
    modules.push(args === undefined ? file : { ...file, args });
  }
  const start = { kernel, modules, ramBytes, ...(append === undefined ? {} : { append }) };
  return { ...(await planOf(configuration, start, files, task)), recorded: undefined };
}

/** The plan of a recorded run: its images are in the file. Rejects as planBoot. */
export async function planRecorded(
  given: RecordedRunArguments,
  files: FileReader,
  codec: Codec,
  task: Task,
): Promise<BootPlan> {
  const { path, bytes } = await readingFrom(given.cwd, files, task)(given.file);
  const recording = openRecording(path, bytes, codec);
  const { configuration: start, problem } = recording;
  const configuration = recordedConfiguration(given, start);
  const plan = await planOf(configuration, start, files, task);
  const warnings = problem === undefined ? [] : [`${path}: ${problem}`];
  return { ...plan, warnings, recorded: { recording, at: given.at } };
}

const readingFrom =
  (cwd: string | undefined, files: FileReader, task: Task) => async (name: string) => {
    const path = files.resolve(name, cwd);
    await task.report(`Reading ${path}`);
    return { path, bytes: await files.read(path) };
  };

function openRecording(path: string, bytes: Uint8Array, codec: Codec): Recording {
  try {
    return readRecording(bytes, codec);
  } catch (error) {
    if (error instanceof RecordingError) throw new UserError(`${path} ${error.message}.`);
    throw error;
  }
}

/** All but the recorded run: symbols, sources and invariants of what the machine starts from. */
async function planOf(
  configuration: LaunchConfiguration,
  start: RecordingConfiguration,
  files: FileReader,
  task: Task,
): Promise<Omit<BootPlan, "recorded">> {
  const { cwd } = configuration;
  const read = readingFrom(cwd, files, task);
  const image = loadKernel(start);
  const { kernel, modules = [] } = start;
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
  await add(files.resolve(kernel.name, cwd), kernel.bytes, "host", false);
  for (const { name, bytes } of modules) {
    await add(files.resolve(name, cwd), bytes, "guest", false);
  }
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
  const images = new Images(found);
  return { configuration, image, start, images, kernelElf, invariantTexts, notes, warnings: [] };
}

/** A machine at the first instruction of the plan's kernel. */
export function bootMachine(plan: BootPlan): Machine {
  const { ramBytes, startTime } = plan.start;
  const machine = new Machine({ ramBytes, ...(startTime === undefined ? {} : { startTime }) });
  machine.load(plan.image);
  return machine;
}

/** Such a machine with all that the debugger keeps about it. */
export function boot(plan: BootPlan): Debuggee {
  const machine = bootMachine(plan);
  const recording = plan.recorded?.recording;
  const debuggee = new Debuggee(machine, plan.images.fresh(), plan.configuration, recording);
  debuggee.kernel = new GuestKernel(debuggee);
  return debuggee;
}

function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}
