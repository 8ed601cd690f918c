/** What names in expressions stand for, in a frame and at an exit. */
import type { Debuggee } from "./debuggee.ts";
import type { ExitRecord } from "./exits/exit-log.ts";
import type { TypeSource } from "./expression/base-types.ts";
import type { Home } from "./expression/home.ts";
import type { Names, Term } from "./expression/term.ts";
import { ExitFieldNames, lastExitTerm } from "./names/exit.ts";
import {
  isRegisterName,
  memoryTerm,
  msrsTerm,
  type RegisterView,
  registerTerm,
  vmcbTerm,
  withFields,
  worldTerm,
} from "./names/machine.ts";
import { homeOf, programName, qualifiedName, spaceOf, typeSource } from "./names/program.ts";
import { currentTaskTerm } from "./names/task.ts";
import { writePlace } from "./place-access.ts";
import { codeBits, type World } from "./register-file.ts";
import type { CodeFrame } from "./stack.ts";
import { NotYetError, UserError } from "./text.ts";
import type { ValuePlace } from "./value-place.ts";

export { spaceOf } from "./names/program.ts";

/** Names in the condition of an exit breakpoint: the exit's fields and the guest's registers first. */
export function exitNames(debuggee: Debuggee, exit: ExitRecord): Names {
  return new ExitNames(debuggee, exit);
}

/** Names where the machine is, or in a frame of the stack: locals first, then globals and registers. */
export function frameNames(debuggee: Debuggee, frame?: CodeFrame): Names {
  return new FrameNames(debuggee, frame);
}

/** As frameNames, and expressions may assign. `changed` is told of what was written. */
export function assigningNames(
  debuggee: Debuggee,
  frame: CodeFrame | undefined,
  changed: (place: Parameters<typeof writePlace>[1]) => void,
): Names {
  const names = new FrameNames(debuggee, frame);
  names.store = (place, value) => {
    writePlace(debuggee, place, value);
    changed(place);
  };
  return names;
}

/** What both have: made lazily, because conditions are asked at every exit. */
abstract class MachineNames implements Names {
  protected readonly debuggee: Debuggee;
  protected readonly frame: CodeFrame | undefined;
  private madeTypes: TypeSource | undefined;
  private madeHome: Home | undefined;
  store?: NonNullable<Names["store"]>;

  constructor(debuggee: Debuggee, frame: CodeFrame | undefined) {
    this.debuggee = debuggee;
    this.frame = frame;
  }

  abstract name(name: string): Term | undefined;
  protected abstract get view(): RegisterView;
  /** Whose program names come first. */
  protected abstract get programWorld(): World;

  get types(): TypeSource {
    this.madeTypes ??= typeSource(this.debuggee, this.programWorld, this.frame);
    return this.madeTypes;
  }

  get home(): Home {
    this.madeHome ??= homeOf(this.debuggee, this.programWorld, this.frame);
    return this.madeHome;
  }

  register(name: string): Term | undefined {
    const { debuggee } = this;
    switch (name.toLowerCase()) {
      case "vmcb":
        return this.vmcb();
      case "host":
        return worldTerm(debuggee, "host");
      case "guest":
        return worldTerm(debuggee, "guest");
      case "msr":
        return msrsTerm(debuggee);
      case "exit":
        return lastExitTerm(debuggee);
      case "current":
        return currentTaskTerm(debuggee);
    }
    const found = this.ownRegister(name);
    if (found !== undefined || !isRegisterName(name)) return found;
    throw new UserError(unknownRegister(name, this.view));
  }

  protected ownRegister(name: string): Term | undefined {
    return registerTerm(this.debuggee, this.view, name);
  }

  private vmcb(): Term {
    const { vmcb } = this.debuggee.spaces;
    if (vmcb === undefined) throw new NotYetError("There is no VMCB yet: no VMRUN has happened.");
    return vmcbTerm(vmcb);
  }

  protected program(name: string): Term | undefined {
    const found = programName(this.debuggee, this.programWorld, this.frame, name);
    const { vmcb } = this.debuggee.spaces;
    if (name !== "vmcb" || vmcb === undefined) return found;
    const fields = vmcbTerm(vmcb);
    return found === undefined ? fields : withFields(found, fields);
  }

  qualified(scope: string, name: string): Term | undefined {
    return qualifiedName(this.debuggee, scope, name);
  }

  memory(space: string, address: bigint, size: number): Term {
    return memoryTerm(this.debuggee, space, address, size);
  }
}

/** Where a register of a caller is kept: on the stack, or in the CPU still. */
function keptPlace(debuggee: Debuggee, frame: CodeFrame, name: string): ValuePlace | undefined {
  const kept = frame.keptAt(name);
  const { world } = frame;
  if (kept === undefined) return undefined;
  if (kept === "live") return { kind: "register", world, name };
  const space = spaceOf(debuggee, world);
  const size = codeBits(frame.registers) / 8;
  return space && { kind: "memory", space, address: kept, size };
}

function unknownRegister(name: string, { world, fixedBecause }: RegisterView): string {
  if (fixedBecause !== undefined) return `${name} is not known in this frame: it was not saved`;
  return `${name} of the ${world} is not known now`;
}

class ExitNames extends MachineNames {
  private readonly fields: ExitFieldNames;
  private madeView: RegisterView | undefined;

  constructor(debuggee: Debuggee, exit: ExitRecord) {
    super(debuggee, undefined);
    this.fields = new ExitFieldNames(debuggee, exit);
  }

  protected get programWorld(): World {
    return "host";
  }

  protected get view(): RegisterView {
    this.madeView ??= { world: "guest", registers: this.debuggee.registers("guest") };
    return this.madeView;
  }

  name(name: string): Term | undefined {
    // The commonest name in conditions is no field of exits and no register.
    if (name === "vmcb") return this.program(name);
    return this.fields.get(name) ?? this.ownRegister(name) ?? this.program(name);
  }
}

class FrameNames extends MachineNames {
  private readonly world: World;
  private madeView: RegisterView | undefined;

  constructor(debuggee: Debuggee, frame: CodeFrame | undefined) {
    super(debuggee, frame);
    this.world = frame?.world ?? debuggee.world;
  }

  protected get programWorld(): World {
    return this.world;
  }

  protected get view(): RegisterView {
    this.madeView ??= this.makeView();
    return this.madeView;
  }

  private makeView(): RegisterView {
    const { world, frame, debuggee } = this;
    if (frame === undefined) return { world, registers: debuggee.registers(world) };
    if (frame.depth === 0) return { world, registers: frame.registers };
    const fixedBecause = "it belongs to a caller, and where the callee saved it is not known";
    const keptIn = (name: string) => keptPlace(debuggee, frame, name);
    return { world, registers: frame.registers, fixedBecause, keptIn };
  }

  name(name: string): Term | undefined {
    const found = this.program(name) ?? this.ownRegister(name);
    if (found !== undefined) return found;
    const exit = this.debuggee.exits.last;
    return exit && new ExitFieldNames(this.debuggee, exit).get(name);
  }
}
