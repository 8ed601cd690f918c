/** The word that EVENTINJ and EXITINTINFO share (APM volume 2, sections 15.7.2 and 15.20). */

import { EXCEPTIONS, exceptionName } from "../system/exceptions.ts";

/** TYPE, bits 10:8. */
const EventType = {
  interrupt: 0,
  nmi: 2,
  exception: 3,
  softwareInterrupt: 4,
} as const;
export type EventTypeName = keyof typeof EventType;

/** An event in words. */
export interface SvmEvent {
  readonly type: EventTypeName;
  readonly vector: number;
  readonly errorCode: number | undefined;
}

const VALID = 1n << 31n;
const ERROR_CODE_VALID = 1n << 11n;

export const isValidEvent = (word: bigint): boolean => (word & VALID) !== 0n;
/** The word with V clear: what #VMEXIT leaves of an injected event. */
export const withoutValid = (word: bigint): bigint => word & ~VALID;

/** The word for an event. */
export function encodeEvent(event: SvmEvent): bigint {
  const head = BigInt(event.vector) | (BigInt(EventType[event.type]) << 8n) | VALID;
  if (event.errorCode === undefined) return head;
  return head | ERROR_CODE_VALID | (BigInt(event.errorCode >>> 0) << 32n);
}

/** The event of a word, or undefined where V is clear or the type is reserved. */
export function decodeEvent(word: bigint): SvmEvent | undefined {
  if (!isValidEvent(word)) return undefined;
  const number = Number((word >> 8n) & 7n);
  const type = (Object.keys(EventType) as EventTypeName[]).find((t) => EventType[t] === number);
  if (type === undefined) return undefined;
  const errorCode = (word & ERROR_CODE_VALID) !== 0n ? Number(word >> 32n) : undefined;
  return { type, vector: type === "nmi" ? 2 : Number(word & 0xffn), errorCode };
}

/** What makes an EVENTINJ word illegal, if anything. */
export function eventErrors(word: bigint, guest64Bit: boolean): "type" | "vector" | "mode" | null {
  if (!isValidEvent(word)) return null;
  const event = decodeEvent(word);
  if (event === undefined) return "type";
  if (event.type !== "exception") return null;
  if (event.vector === EXCEPTIONS.NMI.vector || event.vector > 31) return "vector";
  const legacyOnly = event.vector === EXCEPTIONS.OF.vector || event.vector === EXCEPTIONS.BR.vector;
  return guest64Bit && legacyOnly ? "mode" : null;
}

/** "exception #GP error 0x0", "interrupt 0x30"; "none" where V is clear. */
export function describeEvent(word: bigint): string {
  const event = decodeEvent(word);
  if (event === undefined) return isValidEvent(word) ? "reserved type" : "none";
  const hex = `0x${event.vector.toString(16)}`;
  const error = event.errorCode === undefined ? "" : ` error 0x${event.errorCode.toString(16)}`;
  switch (event.type) {
    case "interrupt":
      return `interrupt ${hex}${error}`;
    case "nmi":
      return `NMI${error}`;
    case "softwareInterrupt":
      return `software interrupt ${hex}${error}`;
    case "exception": {
      const name = exceptionName(event.vector);
      return `exception ${name === undefined ? hex : `#${name}`}${error}`;
    }
  }
}
