/** Names of the programs in the machine: C variables, enumerators, types and ELF symbols. */

import type { FrameState } from "../../symbols/location.ts";
import { REGISTERS } from "../../symbols/registers.ts";
import type { Variable } from "../../symbols/variable.ts";
import { formatReference, type SpaceName } from "../addresses/memory-reference.ts";
import type { Debuggee } from "../debuggee.ts";
import type { TypeSource, WordSize } from "../expression/base-types.ts";
import type { Home } from "../expression/home.ts";
import { objectTerm, valueTerm } from "../expression/object.ts";
import type { Term } from "../expression/term.ts";
import type { Image } from "../images.ts";
import { registerPart, type World } from "../register-file.ts";
import type { CodeFrame } from "../stack.ts";
import { hex } from "../text.ts";
import type { ValuePlace } from "../value-place.ts";

/** Virtual addresses of a world; undefined for the guest before there is one. */
export function spaceOf(debuggee: Debuggee, world: World): SpaceName | undefined {
  if (world === "guest" && debuggee.spaces.guest === undefined) return undefined;
  return debuggee.spaces.resolve({ kind: world === "host" ? "hva" : "gva" });
}

/** What a world's addresses mean, and in a frame its registers. */
export function homeOf(debuggee: Debuggee, world: World, frame?: CodeFrame): Home {
  const space = spaceOf(debuggee, world);
  const nameOf = (address: bigint) => debuggee.images.nameOf(world, address);
  if (frame === undefined) return { state: memoryState(debuggee, world), space, nameOf };
  const registerPlace = (register: number, size: number) =>
    registerPlaceOf(frame, space, register, size);
  return { state: frame.state, space, nameOf, registerPlace };
}

function memoryState(debuggee: Debuggee, world: World): FrameState {
  return {
    register: () => undefined,
    readMemory: (address, length) => {
      const bytes = debuggee.readLinear(world, address, length);
      return bytes.length === length ? bytes : undefined;
    },
  };
}

/** Where a frame's variable in a register lives; a phrase where it cannot be written. */
function registerPlaceOf(
  frame: CodeFrame,
  space: SpaceName | undefined,
  register: number,
  size: number,
): ValuePlace | string {
  const set = frame.image?.symbols.registers ?? REGISTERS.x86_64;
  const name = set.names[register];
  if (name === undefined || name === "-") return "its register is not known";
  const kept = frame.depth > 0 ? frame.state.keptAt?.(register) : "live";
  if (kept === undefined) return `it is in ${name}, and where the callee saved that is not known`;
  if (kept !== "live") {
    if (space === undefined) return `it is in ${name}, which was saved in no memory with a name`;
    return { kind: "memory", space, address: kept, size };
  }
  const whole = registerPart(name)?.parent ?? name;
  const full = whole.startsWith("xmm") ? 16 : 8;
  const bits = size < full ? { bits: { offset: 0, width: size * 8 } } : {};
  return { kind: "register", world: frame.world, name: whole, ...bits };
}

export function variableTerm(home: Home, variable: Variable): Term {
  return objectTerm(home, variable.type, variable.locate(home.state));
}

/** A local of the frame, a global or symbol of its world, then of the other, then an enumerator. */
export function programName(
  debuggee: Debuggee,
  world: World,
  frame: CodeFrame | undefined,
  name: string,
): Term | undefined {
  const local = frame?.variables.find((each) => each.name === name && !each.isShadowed);
  if (frame && local) return variableTerm(homeOf(debuggee, world, frame), local);
  const images = imagesFor(debuggee, world, frame);
  for (const image of images) {
    const found = imageName(debuggee, image, name);
    if (found) return found;
  }
  for (const { symbols, world: its } of images) {
    const found = symbols.enumeratorNamed?.(name);
    if (found) return valueTerm(homeOf(debuggee, its), found.type, found.value);
  }
  return undefined;
}

/** The frame's image first, then its world's. */
function imagesFor(debuggee: Debuggee, world: World, frame: CodeFrame | undefined): Image[] {
  const rank = (image: Image) => (image === frame?.image ? 0 : image.world === world ? 1 : 2);
  return [...debuggee.images.all].sort((a, b) => rank(a) - rank(b));
}

/** A C global or an ELF symbol of one image. */
function imageName(debuggee: Debuggee, image: Image, name: string): Term | undefined {
  const [global] = image.symbols.globalsNamed(name);
  const [symbol] = global ? [] : image.symbols.symbols.named(name);
  if (global === undefined && symbol === undefined) return undefined;
  const home = homeOf(debuggee, image.world);
  if (home.space === undefined) return undefined;
  if (global !== undefined) return variableTerm(home, global);
  const { address } = symbol as { address: bigint };
  const reference = formatReference({ space: home.space, address });
  return { number: address, reference, shown: `${hex(address)} <${name}>` };
}

/** image!name, or 'file.c'::name for a variable that is declared there. */
export function qualifiedName(debuggee: Debuggee, scope: string, name: string): Term | undefined {
  const base = (path: string) => path.replace(/\.[^.]*$/, "");
  for (const image of debuggee.images.all) {
    if (scope !== image.name && scope !== base(image.name)) continue;
    const found = imageName(debuggee, image, name);
    if (found) return found;
  }
  for (const image of debuggee.images.all) {
    const found = image.symbols
      .globalsNamed(name)
      .find(({ file }) => file === scope || file?.endsWith(`/${scope}`));
    if (found) return variableTerm(homeOf(debuggee, image.world), found);
  }
  return undefined;
}

const wordSizeOf = (image: Image | undefined): WordSize =>
  image?.symbols.registers === REGISTERS.i386 ? 4 : 8;

/** The types of all images, those of the frame's program first. */
export function typeSource(
  debuggee: Debuggee,
  world: World,
  frame: CodeFrame | undefined,
): TypeSource {
  const images = imagesFor(debuggee, world, frame);
  return {
    wordSize: wordSizeOf(frame?.image ?? images.find((each) => each.world === world)),
    typeNamed: (name) => {
      for (const { symbols } of images) {
        const found = symbols.typeNamed(name);
        if (found) return found;
      }
      return undefined;
    },
  };
}
