/** Remembers the last exit with the guest's registers at it, and counts exits by reason. */
import {
  describeExit,
  describeExitInfo,
  type ExitFields,
  exitFields,
  exitName,
  GENERAL_REGISTERS,
  type GeneralRegister,
  type Machine,
  VmcbView,
} from "../emulator/index.ts";
import { hex } from "./text.ts";

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

export class ExitLog {
  last: ExitRecord | undefined;
  readonly counts = new Map<string, number>();
  /** Faults since the last instruction that retired, oldest first: what a triple fault is made of. */
  private faults: { icount: number; names: string[] } = { icount: -1, names: [] };
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
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
        exit: (event) => {
          const { state } = machine;
          const saved = new VmcbView(machine.memory, event.vmcb);
          const registers = new Map(GENERAL_REGISTERS.map((name) => [name, state[name]]));
          registers.set("rax", saved.read("RAX")).set("rsp", saved.read("RSP"));
          this.last = { ...event, icount: machine.icount, registers };
          const name = exitName(event.code);
          this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
          return undefined;
        },
      },
    });
  }

  /** The chain of faults that led to this instant. */
  get faultChain(): readonly string[] {
    return this.faults.icount === this.machine.icount ? this.faults.names : [];
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
