/** The hypervisor's own names for the invariant language: its symbols, types, parameters and sections. */
import type { CpuState, FieldName } from "../emulator/index.ts";
import { type Elf, readElf } from "../symbols/elf.ts";
import type { ImageSymbols } from "../symbols/image-symbols.ts";
import { type FrameState, readLocation } from "../symbols/location.ts";
import { sizeOf, type Type } from "../symbols/types.ts";
import type { Variable } from "../symbols/variable.ts";
import type { AddressRange } from "./address-range.ts";
import { readLinear } from "./evaluate/c-object.ts";
import { type CValue, type Result, Unknown } from "./evaluate/value.ts";
import type { ProgramNames } from "./language/declarations.ts";
import type { ProgramView, View } from "./model/view.ts";

const SHF_WRITE = 1n;
const SHF_ALLOC = 2n;
const SHT_NOBITS = 8;

/** The names of one image; its addresses are those at which it runs. */
export class Program implements ProgramNames, ProgramView {
  readonly symbols: ImageSymbols;
  readonly text: readonly AddressRange[];
  /** Globals whose place depends on no register and no memory. */
  private readonly fixed = new Map<string, Result>();
  /** Of the function whose call or return is judged. */
  private call: { readonly pc: bigint; readonly result: Result | undefined } | undefined;
  private readonly file: string;

  /** `elf` is the image's file: its sections say what is not writable. */
  constructor(symbols: ImageSymbols, file: string, elf: Elf | undefined) {
    this.symbols = symbols;
    this.file = file;
    this.text = elf === undefined ? [] : readOnlySections(elf);
  }

  /** Undefined where the bytes are no ELF file. */
  static of(symbols: ImageSymbols, file: string, bytes: Uint8Array): Program {
    try {
      return new Program(symbols, file, readElf(bytes, file));
    } catch {
      return new Program(symbols, file, undefined);
    }
  }

  global(name: string): { type: Type } | undefined;
  global(name: string, view: View): Result;
  global(name: string, view?: View): { type: Type } | Result | undefined {
    if (view === undefined) {
      const [variable] = this.symbols.globalsNamed(name);
      return variable ? { type: variable.type } : this.label(name);
    }
    const known = this.fixed.get(name);
    if (known !== undefined) return known;
    const [variable] = this.symbols.globalsNamed(name);
    if (variable === undefined) return this.label(name) ?? new Unknown(`there is no ${name}`);
    let isFixed = true;
    const state = watched(stateIn(view, this.symbols), () => {
      isFixed = false;
    });
    const found = placed(variable, state);
    if (isFixed) this.fixed.set(name, found);
    return found;
  }

  /** What only the symbol table names has an address, and no type. */
  private label(name: string): CValue | undefined {
    const [found] = this.symbols.symbols.named(name);
    return found && { kind: "c", type: { kind: "void" }, address: found.address };
  }

  function(name: string) {
    const parameters = this.parametersOf(name);
    if (parameters === undefined) return undefined;
    return {
      parameters: new Map(parameters.map((each) => [each.name, each.type])),
      result: this.symbols.returnTypeOf?.(name),
    };
  }

  inlinedPlaces(name: string): number {
    return this.symbols.functionsNamed(name).filter(({ isInlined }) => isInlined).length;
  }

  /** A parameter of a function with code of its own. */
  parameterOf(owner: string, name: string): Variable | undefined {
    return this.parametersOf(owner)?.find((each) => each.name === name);
  }

  private parametersOf(name: string): Variable[] | undefined {
    const place = this.symbols.functionsNamed(name).find(({ isInlined }) => !isInlined);
    if (place === undefined) return undefined;
    const variables = this.symbols.framesAt(place.body).at(-1)?.variables ?? [];
    return variables.filter(({ kind }) => kind === "parameter");
  }

  enumerator(name: string): bigint | undefined {
    return this.symbols.enumeratorNamed?.(name)?.value;
  }

  typeNamed(name: string): Type | undefined {
    return this.symbols.typeNamed(name);
  }

  get problem(): string | undefined {
    const { symbols, file } = this;
    if (!symbols.hasDebugInfo) return `${file} has no debug information: compile it with -g`;
    return symbols.problems[0];
  }

  /** Where the code of a function, or a global in memory, begins as the program was linked. */
  addressOf(name: string): bigint | undefined {
    const { symbols } = this;
    const nothing = { register: () => undefined, readMemory: () => undefined };
    const location = symbols.globalsNamed(name)[0]?.locate(nothing);
    if (location !== undefined) return location.kind === "memory" ? location.address : undefined;
    return symbols.functionsNamed(name).find(({ isInlined }) => !isInlined)?.address;
  }

  *functionNames(): Generator<string> {
    const { symbols } = this.symbols;
    for (const name of symbols.names()) {
      if (symbols.named(name).some(({ kind }) => kind !== "object")) yield name;
    }
  }

  *names(): Generator<string> {
    const { symbols } = this;
    yield* symbols.globalNames?.() ?? [];
    yield* symbols.enumeratorNames?.() ?? [];
  }

  *typeNames(): Generator<string> {
    yield* this.symbols.typeNames?.() ?? [];
  }

  /** Parameters and the result are those of this call until it is ended with undefined. */
  judge(call: { readonly pc: bigint; readonly result: Result | undefined } | undefined): void {
    this.call = call;
  }

  parameter(name: string, view: View): Result {
    const { call, symbols } = this;
    if (call === undefined) return new Unknown("no function is being called");
    if (call.result !== undefined)
      return new Unknown(`${name} is gone when the function has returned: use old(${name})`);
    const variables = symbols.framesAt(call.pc).at(-1)?.variables ?? [];
    const found = variables.find((each) => each.kind === "parameter" && each.name === name);
    if (found === undefined) return new Unknown(`there is no parameter ${name}`);
    return placed(found, stateIn(view, symbols));
  }

  result(): Result {
    return this.call?.result ?? new Unknown("no function returns");
  }
}

/** Loaded sections that are not writable, at their physical addresses. */
function readOnlySections({ sections, segments }: Elf): AddressRange[] {
  return sections.flatMap(({ flags, type, address, size }) => {
    if ((flags & SHF_ALLOC) === 0n || (flags & SHF_WRITE) !== 0n || size === 0) return [];
    if (type === SHT_NOBITS) return [];
    const holder = segments.find(
      ({ virtualAddress: first, memorySize }) => first <= address && address < first + memorySize,
    );
    if (holder === undefined) return [];
    const first = Number(address - holder.virtualAddress + holder.physicalAddress);
    return [{ first, bytes: size }];
  });
}

/** Registers and memory of the host as DWARF wants them. */
export function stateIn(view: View, { registers }: ImageSymbols): FrameState {
  const { state } = view.machine;
  return {
    register: (number) => registerNamed(state, registers.names[number] ?? "-"),
    readMemory: (address, length) => readLinear(address, length, view),
  };
}

/** The same state, that tells of each look at it. */
function watched(state: FrameState, looked: () => void): FrameState {
  return {
    register: (number) => {
      looked();
      return state.register(number);
    },
    readMemory: (address, length) => {
      looked();
      return state.readMemory(address, length);
    },
  };
}

function registerNamed(state: CpuState, name: string): bigint | undefined {
  const wide = name.replace(/^e(?=[a-z]{2}$)/, "r") as FieldName;
  const value = state[wide];
  if (typeof value !== "bigint") return undefined;
  return name.startsWith("e") ? BigInt.asUintN(32, value) : value;
}

/** Where it lies in memory, or else its bytes, as they are in registers or nowhere. */
function placed(variable: Variable, state: FrameState): Result {
  const { name, type } = variable;
  const location = variable.locate(state);
  if (location.kind === "memory") return { kind: "c", type, address: location.address };
  const size = sizeOf(type);
  if (size === undefined) return new Unknown(`${name} has no size`);
  const read = readLocation(location, 0, size, state);
  if (read.bytes === undefined) return new Unknown(`${name} is ${read.unavailable}`);
  return { kind: "c", type, address: undefined, bytes: read.bytes };
}
