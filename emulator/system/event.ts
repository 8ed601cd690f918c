/** Exceptions and interrupts as events to deliver, and what becomes of a second one (APM volume 2, section 8.2.9). */
import { EXCEPTIONS, type ExceptionName, exceptionName, type GuestFault } from "./exceptions.ts";

/** The types of EVENTINJ and EXITINTINFO. INT3, INTO, BOUND and ICEBP are exceptions. */
export type EventType = "INTR" | "NMI" | "exception" | "software";

export interface DeliveredEvent {
  readonly type: EventType;
  readonly vector: number;
  /** Present exactly when a word is pushed (outside real mode). */
  readonly errorCode: number | undefined;
  /** CR2 of a page fault. */
  readonly address: bigint;
  /** The gate's DPL must admit CPL: INT n, INT3 and INTO. */
  readonly checkGate: boolean;
  /** Bytes from rip to the return address. */
  readonly skip: number;
}

/** What a fault is as an event: it returns to the instruction that raised it. */
export function eventOfFault(fault: GuestFault): DeliveredEvent {
  const { vector, code } = EXCEPTIONS[fault.exception];
  return {
    type: "exception",
    vector,
    errorCode: code ? fault.errorCode : undefined,
    address: fault.address,
    checkGate: false,
    skip: 0,
  };
}

/** "#PF(0x2) cr2=0xffff at rip=0x1000", "INTR 0x30 at rip=0x1000". */
export function describeEvent(event: DeliveredEvent, rip: bigint): string {
  const name = exceptionName(event.vector);
  const hex = (n: bigint | number): string => `0x${n.toString(16)}`;
  const code = event.errorCode === undefined ? "" : `(${hex(event.errorCode)})`;
  const what =
    event.type === "exception"
      ? `#${name ?? hex(event.vector)}${code}`
      : `${event.type === "software" ? "INT" : event.type} ${hex(event.vector)}`;
  const address = event.type === "exception" && name === "PF" ? ` cr2=${hex(event.address)}` : "";
  return `${what}${address} at rip=${hex(rip)}`;
}

/** The pushed RFLAGS has RF set: a fault, that is neither a trap nor an abort (section 8.1.2). */
export function setsResumeFlag(event: DeliveredEvent): boolean {
  if (event.type !== "exception") return false;
  return ![1, 2, 3, 4, 8, 18].includes(event.vector);
}

/** EXT of error codes raised while this event is delivered: 1 unless the program asked for it. */
export function externalBit(event: DeliveredEvent): 0 | 1 {
  return event.checkGate || event.type === "software" ? 0 : 1;
}

const DOUBLE_FAULT: DeliveredEvent = {
  type: "exception",
  vector: EXCEPTIONS.DF.vector,
  errorCode: 0,
  address: 0n,
  checkGate: false,
  skip: 0,
};

function classOf(event: DeliveredEvent): (typeof EXCEPTIONS)[ExceptionName]["class"] {
  const name = event.type === "exception" ? exceptionName(event.vector) : undefined;
  return name === undefined ? "benign" : EXCEPTIONS[name].class;
}

/** What is delivered after `second` was raised while `first` was being delivered (table 8-8). */
export function combine(
  first: DeliveredEvent,
  second: DeliveredEvent,
): DeliveredEvent | "shutdown" {
  const before = classOf(first);
  const after = classOf(second);
  if (after === "benign") return second;
  if (before === "doubleFault") return "shutdown";
  if (before === "contributory" && after === "contributory") return DOUBLE_FAULT;
  if (before === "pageFault") return DOUBLE_FAULT;
  return second;
}
