/** Remembers the last exit with the guest's registers at it, and counts exits by reason. */
import {
  CPU_FIELDS,
  describeExit,
  describeExitInfo,
  type ExitFields,
  exitFields,
  exitName,
  type Follower,
  GENERAL_REGISTERS,
  type GeneralRegister,
  type Machine,
  NPF_EXIT,
  type ObserverEvents,
  VmcbView,
} from "../../emulator/index.ts";
import { hex } from "../text.ts";
import { type SavedVmcbs, VmcbHistory } from "./vmcb-history.ts";

const NPF_CODE = BigInt(NPF_EXIT);

type ExitEvent = ObserverEvents["exit"];

export interface ExitRecord extends ExitEvent {
  readonly icount: number;
  /** The guest's general registers as the exit found them. */
  readonly registers: ReadonlyMap<GeneralRegister, bigint>;
}

/** Plain data. */
interface SavedExit extends Omit<ExitRecord, "registers"> {
  /** In encoding order; #VMEXIT leaves all but RAX and RSP alone. */
  readonly general: Uint8Array;
}

function savedExit(event: ExitEvent, machine: Machine): SavedExit {
  const { number, code, info1, info2, vmcb, guestRip, failedCheck } = event;
  const { buffer } = machine.memory.memory;
  const at = machine.state.base + CPU_FIELDS.rax.offset;
  const general = new BigUint64Array(buffer, at, GENERAL_REGISTERS.length).slice();
  const view = new VmcbView(machine.memory, vmcb);
  general[GENERAL_REGISTERS.indexOf("rax")] = view.read("RAX");
  general[GENERAL_REGISTERS.indexOf("rsp")] = view.read("RSP");
  return {
    ...{ number, code, info1, info2, vmcb, guestRip, failedCheck },
    icount: machine.icount,
    general: new Uint8Array(general.buffer),
  };
}

function registersOf({ general }: SavedExit): ReadonlyMap<GeneralRegister, bigint> {
  const values = new BigUint64Array(general.slice().buffer);
  return new Map(GENERAL_REGISTERS.map((name, i) => [name, values[i] ?? 0n]));
}

interface LoggedExit {
  readonly saved: SavedExit;
  readonly record: ExitRecord;
}

/** Made at each exit: the registers are put into a map when they are asked for. */
function loggedExit(saved: SavedExit): LoggedExit {
  let made: ReadonlyMap<GeneralRegister, bigint> | undefined;
  const record = {
    ...saved,
    get registers() {
      made ??= registersOf(saved);
      return made;
    },
  };
  return { saved, record };
}

interface Saved {
  readonly last: SavedExit | undefined;
  readonly lastNestedFault: SavedExit | undefined;
  readonly enteredAt: number;
  readonly counts: readonly [string, number][];
  readonly faults: { readonly icount: number; readonly names: readonly string[] };
  readonly history: SavedVmcbs;
}

export class ExitLog implements Follower {
  readonly name = "exit log";
  readonly version = "1";
  private lastExit: LoggedExit | undefined;
  private lastFault: LoggedExit | undefined;
  readonly history: VmcbHistory;
  /** Instant of the last VMRUN. */
  private enteredAt = -1;
  readonly counts = new Map<string, number>();
  /** Faults since the last instruction that retired, oldest first: what a triple fault is made of. */
  private faults: { icount: number; names: string[] } = { icount: -1, names: [] };
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
    this.history = new VmcbHistory(machine);
    machine.observe({
      name: "exit log",
      on: {
        exception: ({ name, vector, external, address }) => {
          if (external) return undefined;
          const { icount } = machine;
          if (this.faults.icount !== icount) this.faults = { icount, names: [] };
          const about = name === "PF" ? ` on ${hex(address)}` : "";
          this.faults.names.push(`#${name ?? vector}${about} at rip ${hex(machine.state.rip)}`);
          return undefined;
        },
        vmrunStart: ({ vmcb }) => {
          this.history.entering(vmcb);
          this.enteredAt = machine.icount;
          return undefined;
        },
        exit: (event) => {
          this.lastExit = loggedExit(savedExit(event, machine));
          if (event.code === NPF_CODE) this.lastFault = this.lastExit;
          this.history.leaving(event.vmcb);
          const name = exitName(event.code);
          this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
          return undefined;
        },
      },
    });
  }

  get last(): ExitRecord | undefined {
    return this.lastExit?.record;
  }

  get lastNestedFault(): ExitRecord | undefined {
    return this.lastFault?.record;
  }

  save(): unknown {
    const { lastExit, lastFault, enteredAt, counts, faults, history } = this;
    const saved: Saved = {
      last: lastExit?.saved,
      lastNestedFault: lastFault?.saved,
      enteredAt,
      counts: [...counts],
      faults: { icount: faults.icount, names: [...faults.names] },
      history: history.save(),
    };
    return saved;
  }

  restore(saved: unknown): void {
    const { last, lastNestedFault, enteredAt, counts, faults, history } = saved as Saved;
    this.lastExit = last && loggedExit(last);
    this.lastFault = lastNestedFault && loggedExit(lastNestedFault);
    this.enteredAt = enteredAt;
    this.counts.clear();
    for (const [name, count] of counts) this.counts.set(name, count);
    this.faults = { icount: faults.icount, names: [...faults.names] };
    this.history.restore(history);
  }

  /** The chain of faults that led to this instant. */
  get faultChain(): readonly string[] {
    return this.faults.icount === this.machine.icount ? this.faults.names : [];
  }

  /** The host has not executed anything since the last exit. */
  get isAtExit(): boolean {
    const { machine, last, enteredAt } = this;
    if (last === undefined || machine.state.guestMode !== 0) return false;
    // An exit within VMRUN itself comes before VMRUN retires.
    return machine.icount === last.icount + (last.icount === enteredAt ? 1 : 0);
  }

  get total(): number {
    return this.machine.state.exitCount;
  }
}

export const exitReason = (exit: ExitRecord): string => exitName(exit.code);

const words = ({ code, info1, info2, registers }: ExitRecord) => ({
  code,
  info1,
  info2,
  rcx: registers.get("rcx") ?? 0n,
});

/** "NPF: write to gpa 0x10000000 not present, final translation". */
export function exitInWords(exit: ExitRecord): string {
  const text = describeExit(words(exit));
  return exit.failedCheck === undefined ? text : `${text}: ${exit.failedCheck}`;
}

/** What EXITINFO1 and 2 say; "" where nothing. */
export function exitInfoInWords(exit: ExitRecord): string {
  return exit.failedCheck ?? describeExitInfo(words(exit));
}

/** The exit's fields by name, EXITINTINFO's among them. */
export function fieldsOf(exit: ExitRecord, machine: Machine): ExitFields {
  const intInfo = new VmcbView(machine.memory, exit.vmcb).read("EXITINTINFO");
  return exitFields(words(exit), intInfo);
}

/** "#VMEXIT NPF gpa:0x1000 (exit 12)". */
export function exitTitle(exit: ExitRecord, machine: Machine): string {
  const reason = exitReason(exit);
  const fields = fieldsOf(exit, machine);
  let detail = "";
  if (reason === "NPF") detail = ` gpa:${hex(exit.info2)}`;
  else if (reason === "IOIO") detail = ` ${fields.in ? "in" : "out"} ${hex(Number(fields.port))}`;
  else if (reason === "MSR")
    detail = ` ${fields.write ? "write" : "read"} ${hex(Number(fields.msr))}`;
  else if (reason === "CPUID") {
    detail = ` leaf ${hex(BigInt.asUintN(32, exit.registers.get("rax") ?? 0n))}`;
  } else if (exit.failedCheck !== undefined) detail = `: ${exit.failedCheck}`;
  return `#VMEXIT ${reason}${detail} (exit ${exit.number})`;
}
