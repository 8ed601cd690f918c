/** The task that a CPU runs, as the kernel keeps it: per-CPU data, and task_struct by its BTF. */

import type { ImageSymbols } from "../image-symbols.ts";
import { fromBytes } from "../location.ts";
import { type RecordType, stripped, type Type } from "../types.ts";

const KERNEL_HALF = 1n << 63n;
/** Entries of __per_cpu_offset that are looked at to recognise a per-CPU base. */
const MOST_CPUS = 64;

export interface RunningTask {
  readonly pid: number;
  readonly name: string;
  /** Address of its task_struct. */
  readonly address: bigint;
}

export interface TaskMemory {
  /** Shorter where memory cannot be read. */
  read(address: bigint, length: number): Uint8Array;
  /** What GS may hold: its base, and what SWAPGS would bring. */
  readonly gsBases: readonly (bigint | undefined)[];
}

interface Field {
  readonly offset: number;
  readonly size: number;
}

/** Where things are in this kernel; run addresses. */
export class TaskReader {
  private readonly current: bigint;
  private readonly cpuOffsets: bigint | undefined;
  private readonly name: Field;
  private readonly pid: Field;

  private constructor(
    current: bigint,
    cpuOffsets: bigint | undefined,
    fields: { name: Field; pid: Field },
  ) {
    this.current = current;
    this.cpuOffsets = cpuOffsets;
    this.name = fields.name;
    this.pid = fields.pid;
  }

  /** Undefined where the kernel's symbols or types do not tell. */
  static of(symbols: ImageSymbols): TaskReader | undefined {
    const task = symbols.typeNamed("struct task_struct");
    const [name, pid] = [fieldOf(task, "comm"), fieldOf(task, "pid")];
    const current = currentTaskOf(symbols);
    if (name === undefined || pid === undefined || current === undefined) return undefined;
    const [offsets] = symbols.symbols.named("__per_cpu_offset");
    return new TaskReader(current, offsets?.address, { name, pid });
  }

  /** Undefined before the kernel has per-CPU data. */
  read(memory: TaskMemory): RunningTask | undefined {
    const address = this.base(memory);
    const task = address === undefined ? undefined : pointerAt(memory, address + this.current);
    if (task === undefined || task < KERNEL_HALF) return undefined;
    const name = memory.read(task + BigInt(this.name.offset), this.name.size);
    const pid = memory.read(task + BigInt(this.pid.offset), this.pid.size);
    if (name.length < this.name.size || pid.length < this.pid.size) return undefined;
    const end = name.indexOf(0);
    const text = new TextDecoder().decode(name.subarray(0, end < 0 ? name.length : end));
    return { pid: Number(BigInt.asIntN(32, fromBytes(pid))), name: text, address: task };
  }

  /** The base that the kernel's own table of them has; without that table any in the kernel's half. */
  private base(memory: TaskMemory): bigint | undefined {
    const bases = memory.gsBases.filter((base) => base !== undefined);
    const known = this.cpuOffsets === undefined ? [] : this.knownBases(memory);
    const found = bases.find((base) => known.includes(base));
    if (found !== undefined) return found;
    return known[0] ?? bases.find((base) => base >= KERNEL_HALF);
  }

  private knownBases(memory: TaskMemory): bigint[] {
    const bytes = memory.read(this.cpuOffsets as bigint, 8 * MOST_CPUS);
    return Array.from({ length: bytes.length >> 3 }, (_, i) =>
      fromBytes(bytes.subarray(8 * i, 8 * i + 8)),
    ).filter((base) => base !== 0n);
  }
}

/** The per-CPU place of the pointer: a member of pcpu_hot from 6.2 to 6.14, else a variable. */
function currentTaskOf(symbols: ImageSymbols): bigint | undefined {
  const [variable] = symbols.symbols.named("current_task");
  if (variable) return variable.address;
  const [hot] = symbols.symbols.named("pcpu_hot");
  const member = fieldOf(symbols.typeNamed("struct pcpu_hot"), "current_task");
  return hot && member && hot.address + BigInt(member.offset);
}

function pointerAt(memory: TaskMemory, address: bigint): bigint | undefined {
  const bytes = memory.read(BigInt.asUintN(64, address), 8);
  return bytes.length === 8 ? fromBytes(bytes) : undefined;
}

/** A member, those of unnamed structs and unions included. */
function fieldOf(type: Type | undefined, name: string, base = 0): Field | undefined {
  const record = type && stripped(type);
  if (record?.kind !== "struct" && record?.kind !== "union") return undefined;
  for (const member of (record as RecordType).members) {
    const offset = base + member.bitOffset / 8;
    const inner = stripped(member.type);
    if (member.name === name) {
      const size = inner.kind === "array" ? inner.count : "size" in inner ? inner.size : undefined;
      return size === undefined ? undefined : { offset, size };
    }
    const found = member.name === "" ? fieldOf(member.type, name, offset) : undefined;
    if (found) return found;
  }
  return undefined;
}
