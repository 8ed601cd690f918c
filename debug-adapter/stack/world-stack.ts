/** The frames of one world, innermost first, made as they are asked for. */
import type { Debuggee } from "../debuggee.ts";
import { type Delivery, deliveryTitle } from "../delivery-log.ts";
import { clientLocation } from "../images.ts";
import type { RegisterFile, World } from "../register-file.ts";
import { hex } from "../text.ts";
import type { CodeFrame, Frame } from "./frame.ts";
import { frameRegisters } from "./frame-registers.ts";
import { innermostFrame, lookupOf, type MachineFrame } from "./machine-frame.ts";
import { sourceFramesAt } from "./source-frames.ts";
import { type Outer, Unwinding } from "./unwind.ts";

/** No stack is followed further. */
const MOST_FRAMES = 10_000;

/** Frames of one world with the labels between them; none for the guest before the first VMRUN. */
export function* worldStack(debuggee: Debuggee, world: World): Generator<Frame> {
  const registers = debuggee.registers(world);
  if (registers === undefined) return;
  const isSuspendedHost = world === "host" && debuggee.world === "guest";
  const unwinding = new Unwinding(debuggee, world, registers);
  let frame = innermostFrame(registers, isSuspendedHost);
  for (let depth = 0; depth < MOST_FRAMES; depth++) {
    const outerOf = once(() => unwinding.outerOf(frame));
    yield* codeFrames({ debuggee, world, registers, unwinding, frame, depth, outerOf });
    const outer = outerOf();
    if (outer.kind === "end") {
      if (outer.problem) yield label(`the stack cannot be followed: ${outer.problem}`);
      return;
    }
    const text = interruptionText(debuggee, world, outer.caller);
    if (text !== undefined) yield label(text);
    frame = outer.caller;
  }
  yield label(`the stack goes on: ${MOST_FRAMES} frames are shown`);
}

const label = (name: string): Frame => ({ kind: "label", name });

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

interface Making {
  readonly debuggee: Debuggee;
  readonly world: World;
  readonly registers: RegisterFile;
  readonly unwinding: Unwinding;
  readonly frame: MachineFrame;
  readonly depth: number;
  readonly outerOf: () => Outer;
}

/** Whether the bytes could be written in the world's memory. */
function written({ debuggee, world }: Making, address: bigint, bytes: Uint8Array): boolean {
  const { spaces } = debuggee;
  const space = spaces.resolve({ kind: world === "host" ? "hva" : "gva" });
  return spaces.write({ space, address }, bytes) === bytes.length;
}

/** The source frames of one machine frame, or the machine frame itself. */
function codeFrames(making: Making): CodeFrame[] {
  const { debuggee, world, registers, unwinding, frame, depth, outerOf } = making;
  const lookup = lookupOf(frame);
  const image = debuggee.images.at(world, lookup);
  const common = {
    kind: "code",
    world,
    pc: frame.pc,
    lookup,
    image,
    state: unwinding.stateOf(frame, image),
    registers:
      depth === 0
        ? registers
        : frameRegisters(frame, registers, (address, bytes) => written(making, address, bytes)),
    keptAt: (name: string) => frame.keptAt?.(name),
    depth,
    certainty: frame.certainty,
    ring: frame.ring,
    get base() {
      return outerOf().base;
    },
  } as const;
  const sources = image === undefined ? [] : sourceFramesAt(image.symbols, lookup);
  if (image !== undefined && sources.length > 0) {
    return sources.map((source) => {
      const location = source.location && clientLocation(image, source.location);
      const { name, variables } = source;
      return withGetters(common, { name, location, variables });
    });
  }
  const name = debuggee.images.nameOf(world, lookup) ?? addressText(frame);
  const location = debuggee.images.sourceAt(world, lookup);
  return [withGetters(common, { name, location, variables: [] })];
}

/** `common` with more members; spreading would compute its base. */
function withGetters<C extends object, M extends object>(common: C, more: M): C & M {
  return Object.assign(Object.create(common) as C, more);
}

/** "0x7c12", or "f000:fff0" where the code segment matters. */
function addressText({ pc, code, isCaller }: MachineFrame): string {
  if (code.bits === 64 || code.base === 0n || isCaller) return hex(pc);
  return `${code.selector.toString(16).padStart(4, "0")}:${(pc - code.base).toString(16)}`;
}

/** "#PF in ring 3", where the frame did not call the one inside. */
function interruptionText(
  debuggee: Debuggee,
  world: World,
  { interruption, ring }: MachineFrame,
): string | undefined {
  if (interruption === undefined) return undefined;
  const where = ring === undefined ? "" : ` in ring ${ring}`;
  const { stack, isSyscall } = interruption;
  const delivery: Delivery | undefined =
    isSyscall || stack === undefined ? undefined : debuggee.deliveries.at(world, stack);
  const what = isSyscall
    ? "SYSCALL"
    : delivery
      ? deliveryTitle(delivery)
      : "interrupt or exception";
  return `${what}${where}`;
}
