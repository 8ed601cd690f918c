/** A place that a step waits for: an address on one stack, in one ring, of one process. */
import type { Debuggee } from "../debuggee.ts";
import type { World } from "../register-file.ts";

export interface Place {
  readonly linear: bigint;
  /** The stack pointer is in this range, its ends included. */
  readonly stack: { readonly from: bigint; readonly to: bigint };
  readonly ring: number;
  /** CR3 without its low bits: compared in ring 3, where processes have equal addresses. */
  readonly root: bigint;
}

/** A callee may drop its arguments: RET n in 32-bit code. */
const SLACK = 0x1000n;
const FRAME = 0x10_0000n;
/** PCID and the bit by which a kernel's and a user's tables of one process differ are left out. */
const ROOT = ~0x1fffn;
const USER = 3;

/** Where code at an address goes on with the stack as given, in the process of now. */
export function returnPlace(
  debuggee: Debuggee,
  linear: bigint,
  stack: bigint,
  ring: number,
): Place {
  return { linear, stack: { from: stack, to: stack + SLACK }, ring, root: rootNow(debuggee) };
}

/** An address in the function that was just called, with its frame made. */
export function bodyPlace(debuggee: Debuggee, linear: bigint): Place {
  const { rsp, cpl: ring } = debuggee.machine.state;
  return { linear, stack: { from: rsp - FRAME, to: rsp }, ring, root: rootNow(debuggee) };
}

function rootNow(debuggee: Debuggee): bigint {
  return debuggee.machine.state.cr3 & ROOT;
}

/**
 * Whether the CPU is there. A kernel's stacks have addresses of their own, whatever CR3 a kernel
 * thread borrows, so that CR3 counts for ring 3 only.
 */
export function isAt(debuggee: Debuggee, place: Place, linear: bigint): boolean {
  if (linear !== place.linear) return false;
  const { state } = debuggee.machine;
  if (state.cpl !== place.ring) return false;
  if (place.ring === USER && rootNow(debuggee) !== place.root) return false;
  return state.rsp >= place.stack.from && state.rsp <= place.stack.to;
}

/** Breakpoints of the engine for places of one world, as long as they are waited for. */
export class AwaitedPlaces {
  private readonly debuggee: Debuggee;
  private readonly isGuest: boolean;
  private places: readonly Place[] = [];
  private callers: readonly Place[] = [];

  constructor(debuggee: Debuggee, world: World) {
    this.debuggee = debuggee;
    this.isGuest = world === "guest";
  }

  /** `callers` are where outer frames go on, should the places never be reached. */
  set(places: readonly Place[], callers: readonly Place[] = []): void {
    const { engine } = this.debuggee.machine.cpu;
    for (const { linear } of [...places, ...callers]) engine.addBreakpoint(linear);
    for (const { linear } of [...this.places, ...this.callers]) engine.removeBreakpoint(linear);
    this.places = places;
    this.callers = callers;
  }

  arrivedAt(linear: bigint, guest: boolean): "place" | "caller" | undefined {
    if (guest !== this.isGuest) return undefined;
    const isHere = (place: Place) => isAt(this.debuggee, place, linear);
    if (this.places.some(isHere)) return "place";
    return this.callers.some(isHere) ? "caller" : undefined;
  }
}
