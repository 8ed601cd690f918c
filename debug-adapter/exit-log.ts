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
  type ObserverEvents,
  VmcbView,
} from "../emulator/index.ts";
import { hex } from "./text.ts";
import { VmcbHistory } from "./vmcb-history.ts";

const NPF_CODE = 0x400n;

export interface ExitRecord {
  readonly number: number;
  readonly code: bigint;
  readonly info1: bigint;
  readonly info2: bigint;
  readonly vmcb: number;
  readonly guestRip: bigint;
  readonly failedCheck: string | undefined;
  readonly icount: number;
  /** The guest's general registers as the exit found them. */
  readonly registers: ReadonlyMap<GeneralRegister, bigint>;
}

type ExitEvent = ObserverEvents["exit"];

/** Made at each exit, so it keeps bytes; the registers are put into a map when they are asked for. */
class LoggedExit implements ExitRecord {
  readonly number: number;
  readonly code: bigint;
  readonly info1: bigint;
  readonly info2: bigint;
  readonly vmcb: number;
  readonly guestRip: bigint;
  readonly failedCheck: string | undefined;
  readonly icount: number;
  /** In encoding order; #VMEXIT leaves all but RAX and RSP alone. */
  private readonly general: BigUint64Array;
  private made: ReadonlyMap<GeneralRegister, bigint> | undefined;

  constructor(event: ExitEvent, machine: Machine) {
    this.number = event.number;
    this.code = event.code;
    this.info1 = event.info1;
    this.info2 = event.info2;
    this.vmcb = event.vmcb;
    this.guestRip = event.guestRip;
    this.failedCheck = event.failedCheck;
    this.icount = machine.icount;
    const { buffer } = machine.memory.memory;
    const at = machine.state.base + CPU_FIELDS.rax.offset;
    this.general = new BigUint64Array(buffer, at, GENERAL_REGISTERS.length).slice();
    const saved = new VmcbView(machine.memory, event.vmcb);
    this.general[GENERAL_REGISTERS.indexOf("rax")] = saved.read("RAX");
    this.general[GENERAL_REGISTERS.indexOf("rsp")] = saved.read("RSP");
  }

  get registers(): ReadonlyMap<GeneralRegister, bigint> {
    this.made ??= new Map(GENERAL_REGISTERS.map((name, i) => [name, this.general[i] ?? 0n]));
    return this.made;
  }
}

interface Saved {
  readonly last: ExitRecord | undefined;
  readonly lastNestedFault: ExitRecord | undefined;
  readonly enteredAt: number;
  readonly counts: readonly [string, number][];
  readonly faults: { readonly icount: number; readonly names: readonly string[] };
  readonly history: unknown;
}

export class ExitLog implements Follower {
  last: ExitRecord | undefined;
  lastNestedFault: ExitRecord | undefined;
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
          this.last = new LoggedExit(event, machine);
          if (event.code === NPF_CODE) this.lastNestedFault = this.last;
          this.history.leaving(event.vmcb);
          const name = exitName(event.code);
          this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
          return undefined;
        },
      },
    });
  }

  save(): unknown {
    const { last, lastNestedFault, enteredAt, counts, faults, history } = this;
    const saved: Saved = {
      last,
      lastNestedFault,
      enteredAt,
      counts: [...counts],
      faults: { icount: faults.icount, names: [...faults.names] },
      history: history.save(),
    };
    return saved;
  }

  restore(saved: unknown): void {
    const { last, lastNestedFault, enteredAt, counts, faults, history } = saved as Saved;
    this.last = last;
    this.lastNestedFault = lastNestedFault;
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
