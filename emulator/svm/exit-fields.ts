/** An exit as named values: what conditions on exit breakpoints and the variables view are about. */

import { decodeEvent } from "./event-format.ts";
import {
  decodeControlRegister,
  decodeIo,
  decodeNestedFault,
  decodeTaskSwitch,
  type ExitWords,
} from "./exit-info.ts";
import { EXCEPTION_EXIT, type Exit, exitName, exitOf } from "./exits.ts";

export type ExitFieldValue = number | bigint | boolean | string;
export type ExitFields = { readonly [name: string]: ExitFieldValue };

/** The fields that each kind of exit has, besides reason, code, info1 and info2. */
const KIND_FIELDS: Record<Exit["kind"], (words: ExitWords, exit: Exit) => ExitFields> = {
  nestedPageFault: ({ info1, info2 }) => ({ ...decodeNestedFault(info1, info2) }),
  io: ({ info1, info2 }) => {
    const { segment, ...io } = decodeIo(info1, info2);
    return segment === undefined ? io : { ...io, segment };
  },
  msr: ({ info1, rcx }) => ({
    write: info1 !== 0n,
    ...(rcx === undefined ? {} : { msr: Number(BigInt.asUintN(32, rcx)) }),
  }),
  controlRegister: ({ info1 }, exit) => ({ ...registerFields(exit), ...generalOf(info1) }),
  debugRegister: ({ info1 }, exit) => ({ ...registerFields(exit), general: Number(info1 & 15n) }),
  exception: ({ info1, info2 }, exit) => ({
    vector: exit.code - EXCEPTION_EXIT,
    errorCode: Number(info1 & 0xffff_ffffn),
    ...(exit.name === "EXCP_PF" ? { address: info2 } : {}),
  }),
  taskSwitch: ({ info1, info2 }) => {
    const { errorCode, ...task } = decodeTaskSwitch(info1, info2);
    return errorCode === undefined ? task : { ...task, errorCode };
  },
  instruction: ({ info1 }, exit): ExitFields => {
    if (exit.name === "SWINT") return { vector: Number(info1 & 0xffn) };
    if (exit.name === "INVLPG" || exit.name === "INVLPGA") return { address: info1 };
    return {};
  },
  event: () => ({}),
  invalid: () => ({}),
};

/** "CR3_WRITE" is register 3, write true; CR0_SEL_WRITE is register 0. */
function registerFields(exit: Exit): ExitFields {
  const number = /^[CD]R(\d+)/.exec(exit.name)?.[1];
  return { register: Number(number ?? 0), write: exit.name.endsWith("WRITE") };
}

function generalOf(info1: bigint): ExitFields {
  const { mov, register } = decodeControlRegister(info1);
  return mov ? { general: register } : {};
}

/** All fields of an exit by name; `eventType` and `eventVector` where EXITINTINFO is given and valid. */
export function exitFields(words: ExitWords, exitIntInfo = 0n): ExitFields {
  const exit = exitOf(words.code);
  const event = decodeEvent(exitIntInfo);
  return {
    reason: exitName(words.code),
    code: words.code,
    info1: words.info1,
    info2: words.info2,
    ...(exit === undefined ? {} : KIND_FIELDS[exit.kind](words, exit)),
    ...(event === undefined ? {} : { eventType: event.type, eventVector: event.vector }),
  };
}
