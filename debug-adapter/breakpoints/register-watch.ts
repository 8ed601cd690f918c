/** Triggers on registers and MSRs: compared where something can have changed them. */
import { GENERAL_REGISTERS, getRflags, type Observer } from "../../emulator/index.ts";
import { bitsOf, fromBytes, toBytes } from "../../symbols/location.ts";
import type { Debuggee } from "../debuggee.ts";
import { readPlace } from "../place-access.ts";
import type { ValuePlace } from "../value-place.ts";
import type { Hit, Trigger } from "./breakpoint.ts";
import { type AccessType, dataHit, wantsAccess } from "./data-access.ts";

type RegisterPlace = Extract<ValuePlace, { kind: "register" }>;
type MsrPlace = Extract<ValuePlace, { kind: "msr" }>;
type Reach = (hit: Hit) => "stop" | undefined;

/** Registers that only MOV to them, WRMSR, VMRUN and #VMEXIT change. */
const PAGING_REGISTERS: readonly string[] = ["cr0", "cr3", "cr4", "efer"];
/** MSRs that instructions other than WRMSR change: segment loads, SWAPGS, WRFSBASE, SYSCALL. */
const CHANGED_BY_CODE: readonly number[] = [0xc000_0100, 0xc000_0101, 0xc000_0102];
const TSC = 0x10;
const SIZE = 8;

/** Whether each instruction has to be looked at, which makes the run slower. */
export function needsEveryInstruction(place: RegisterPlace | MsrPlace): boolean {
  return place.kind === "register"
    ? place.part !== undefined || !PAGING_REGISTERS.includes(place.name)
    : CHANGED_BY_CODE.includes(place.index);
}

/** Why the place cannot be watched. */
export function unwatchable(place: RegisterPlace | MsrPlace): string | undefined {
  if (place.kind === "register" && place.name === "rip")
    return "rip changes with every instruction";
  if (place.kind === "msr" && place.index === TSC) return "the TSC changes all the time";
  return undefined;
}

/** Hits when the value of a register of one world is another than before. */
export function registerTrigger(place: RegisterPlace): Trigger {
  return {
    arm: (debuggee, reach) => {
      const read = readerOf(debuggee, place);
      return observeChanges(
        debuggee,
        place,
        () => (debuggee.world === place.world ? read() : undefined),
        reach,
      );
    },
  };
}

/** Hits when the MSR is read or written, and when something else has changed it. */
export function msrTrigger(place: MsrPlace, type: AccessType): Trigger {
  return {
    arm: (debuggee, reach) => {
      const read = readerOf(debuggee, place);
      const on: Observer["on"] = wantsAccess(type, false)
        ? {
            msr: ({ index, write, value }) => {
              if (index !== place.index || write) return undefined;
              return reach(dataHit(place, { write: false, old: value, now: value, size: SIZE }));
            },
          }
        : {};
      const releases = [debuggee.machine.observe({ name: "data breakpoint", on })];
      if (wantsAccess(type, true)) releases.push(observeChanges(debuggee, place, read, reach));
      return () => {
        for (const release of releases) release();
      };
    },
  };
}

function observeChanges(
  debuggee: Debuggee,
  place: RegisterPlace | MsrPlace,
  read: () => bigint | undefined,
  reach: Reach,
): () => void {
  let known = read();
  const compare = (who: Pick<Hit, "rip" | "by"> = {}): "stop" | undefined => {
    const now = read();
    if (now === undefined || now === known) return undefined;
    const old = known;
    known = now;
    if (old === undefined) return undefined;
    return reach(dataHit(place, { write: true, old, now, size: SIZE, ...who }));
  };
  const everyInstruction = needsEveryInstruction(place);
  return debuggee.machine.observe({
    name: "data breakpoint",
    on: {
      vmrun: () => compare({ by: "vmrun" }),
      exit: () => compare({ by: "exit" }),
      vmload: () => compare(),
      ...(everyInstruction
        ? { retire: ({ rip }) => compare({ rip }) }
        : place.kind === "msr"
          ? { msr: ({ index }) => (index === place.index ? compare() : undefined) }
          : { paging: () => compare() }),
    },
  });
}

/** Reads the value as it is now; undefined where it is not known. */
function readerOf(debuggee: Debuggee, place: RegisterPlace | MsrPlace): () => bigint | undefined {
  const { state } = debuggee.machine;
  const whole = fastReader();
  if (whole === undefined) {
    return () => {
      try {
        return fromBytes(readPlace(debuggee, place));
      } catch {
        return undefined;
      }
    };
  }
  const { bits } = place;
  if (bits === undefined) return whole;
  return () => bitsOf(toBytes(whole(), SIZE), bits.offset, bits.width);

  function fastReader(): (() => bigint) | undefined {
    if (place.kind !== "register" || place.part !== undefined) return undefined;
    if (place.name === "rflags") return () => getRflags(state);
    const general = GENERAL_REGISTERS.find((name) => name === place.name);
    return general && (() => state[general]);
  }
}
