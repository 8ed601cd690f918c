/** Delivery of exceptions and interrupts in every mode, double faults and shutdown (APM volume 2, sections 8.2.9, 8.6 to 8.9). */
import type { Vcpu } from "../vcpu.ts";
import { deliverLegacy, deliverReal, TaskGate } from "./deliver-legacy.ts";
import { deliverLong } from "./deliver-long.ts";
import {
  combine,
  type DeliveredEvent,
  describeEvent,
  type EventType,
  eventOfFault,
} from "./event.ts";
import { EXCEPTIONS, type ExceptionName, exceptionName, GuestFault } from "./exceptions.ts";
import { isLongActive, isProtected } from "./mode.ts";
import { stopAtTaskSwitch } from "./task-switch.ts";

export interface DeliveryOptions {
  /** Default "exception". "software" is INT n: the gate's DPL is checked. */
  readonly type?: EventType;
  /** Pushed, for exceptions that have one (default 0 for those). Never given for interrupts. */
  readonly errorCode?: number;
  /** An exception pushes `errorCode` exactly when it is given, whatever its vector (EVENTINJ.EV). */
  readonly errorCodeAsGiven?: true;
  /** CR2 of a page fault. */
  readonly address?: bigint;
  /** Return address less rip: the instruction's length for INT n, INT3, INTO and ICEBP. */
  readonly insnLength?: number;
  /** INT3 and INTO: exceptions whose gate's DPL is checked. Implied by "software". */
  readonly checkGate?: boolean;
}

/** DR6 bits that say why #DB was raised. */
export const DebugCause = {
  /** An access to a debug register with DR7.GD set. */
  detect: 1 << 13,
  singleStep: 1 << 14,
  taskSwitch: 1 << 15,
} as const;

const DR7_GENERAL_DETECT = 1n << 13n;

function toEvent(which: ExceptionName | number, options: DeliveryOptions): DeliveredEvent {
  const vector = typeof which === "number" ? which : EXCEPTIONS[which].vector;
  const type = options.type ?? "exception";
  const name = type === "exception" ? exceptionName(vector) : undefined;
  const hasCode = name !== undefined && EXCEPTIONS[name].code;
  return {
    type,
    vector,
    errorCode: options.errorCodeAsGiven
      ? options.errorCode
      : hasCode
        ? (options.errorCode ?? 0)
        : undefined,
    address: options.address ?? 0n,
    checkGate: options.checkGate ?? type === "software",
    skip: options.insnLength ?? 0,
  };
}

/**
 * Delivers an event that no intercept stands in the way of: an interrupt, INT n, an injected event,
 * or an exception whose intercept was looked at. `state.rip` is the instruction that it belongs to.
 *
 * Faults on the way are delivered in turn. True: rip (and nextRip) is the event's handler. False:
 * it is another handler, or the CPU shut down; the caller's instruction has not completed.
 * Throws InterceptExit; nothing but memory has changed then (and CR2 and DR6, as on hardware).
 */
export function deliverException(
  cpu: Vcpu,
  which: ExceptionName | number,
  options: DeliveryOptions = {},
): boolean {
  return deliverChain(cpu, toEvent(which, options), []);
}

/**
 * An exception raised by an instruction: exception intercepts, CR2 and DR6, then delivery. For #DB,
 * `errorCode` of the fault has the DR6 bits to set (DebugCause, and 3:0 for breakpoints).
 */
export function raiseFault(cpu: Vcpu, fault: GuestFault): void {
  raiseInto(cpu, fault, undefined, []);
}

/** Raises `fault`, during the delivery of `first` if given, and delivers what results. */
function raiseInto(
  cpu: Vcpu,
  fault: GuestFault,
  first: DeliveredEvent | undefined,
  chain: readonly string[],
): void {
  const { state } = cpu;
  if (fault.exception === "DB") {
    state.dr6 = (state.dr6 & ~0xfn) | BigInt(fault.errorCode);
  }
  const raised = eventOfFault(fault);
  cpu.hooks.interceptException(raised.vector, raised.errorCode, fault.address);
  if (fault.exception === "PF") state.cr2 = fault.address;
  const event = first === undefined ? raised : combine(first, raised);
  if (event === "shutdown") {
    shutDown(cpu, [...chain, describeEvent(raised, state.rip)]);
    return;
  }
  if (event !== raised) {
    cpu.hooks.interceptException(event.vector, event.errorCode, 0n);
    deliverChain(cpu, event, [...chain, describeEvent(raised, state.rip)]);
    return;
  }
  deliverChain(cpu, event, chain);
}

function deliverChain(cpu: Vcpu, event: DeliveredEvent, before: readonly string[]): boolean {
  const chain = [...before, describeEvent(event, cpu.state.rip)];
  cpu.hooks.noteDelivery(event);
  tellObservers(cpu, event);
  try {
    deliverOnce(cpu, event);
  } catch (caught) {
    if (caught instanceof TaskGate) {
      cpu.hooks.noteDelivery(undefined);
      stopAtTaskSwitch(cpu, caught.task);
      return false;
    }
    if (!(caught instanceof GuestFault)) throw caught;
    raiseInto(cpu, caught, event, chain);
    return false;
  }
  cpu.hooks.noteDelivery(undefined);
  return true;
}

function tellObservers(cpu: Vcpu, event: DeliveredEvent): void {
  if (!cpu.observers.wants("exception")) return;
  cpu.observers.emit("exception", {
    vector: event.vector,
    name: event.type === "exception" ? exceptionName(event.vector) : undefined,
    errorCode: event.errorCode,
    address: event.address,
    external: event.type === "INTR" || event.type === "NMI",
  });
}

/** One attempt. The state changes only when all checks passed and the frame is written. */
function deliverOnce(cpu: Vcpu, event: DeliveredEvent): void {
  const { state } = cpu;
  if (!isProtected(state)) deliverReal(cpu, event);
  else if (isLongActive(state)) deliverLong(cpu, event);
  else deliverLegacy(cpu, event);
  if (event.type === "NMI") state.nmiBlocked = 1;
  if (event.type === "exception" && event.vector === EXCEPTIONS.DB.vector) {
    state.dr7 &= ~DR7_GENERAL_DETECT;
  }
  state.nextRip = state.rip;
  state.interruptShadow = 0;
  // INT n and faults: the handler is entered with TF clear, and no trap comes after them, not that
  // of a data breakpoint on the frame either.
  state.trapDue = 0;
  state.breakpointsMet = 0;
  state.halted = 0;
  cpu.deriveMode();
  cpu.recheckInterrupts();
}

/** The shutdown state: the CPU does nothing more until reset. */
function shutDown(cpu: Vcpu, faults: readonly string[]): void {
  cpu.hooks.interceptShutdown();
  cpu.hooks.noteDelivery(undefined);
  cpu.observers.emit("shutdown", { faults });
  cpu.state.shutdown = 1;
  cpu.requestStop({ kind: "shutdown", faults });
}
