/** A core file of an x86-64 CPU: its registers and a piece of memory, as gdb reads them. */

/** In the order of Linux's struct user_regs_struct. */
const REGISTERS = [
  ...["r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8"],
  ...["rax", "rcx", "rdx", "rsi", "rdi", "orig_rax", "rip", "cs", "rflags", "rsp", "ss"],
  ...["fs_base", "gs_base", "ds", "es", "fs", "gs"],
];
const HEADER = 64;
const PROGRAM_HEADER = 56;
/** struct elf_prstatus: its size, and where the registers are in it. */
const STATUS_SIZE = 336;
const STATUS_REGISTERS = 112;
const NOTE_HEADER = 20;
const ET_CORE = 4;
const EM_X86_64 = 62;
const PT_LOAD = 1;
const PT_NOTE = 4;
const NT_PRSTATUS = 1;

export interface Memory {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/** `register` gives a register's value by its name; unknown ones are 0 in the file. */
export function coreFile(
  register: (name: string) => bigint | undefined,
  memory: Memory,
): Uint8Array<ArrayBuffer> {
  const noteAt = HEADER + 2 * PROGRAM_HEADER;
  const noteSize = NOTE_HEADER + STATUS_SIZE;
  const memoryAt = noteAt + noteSize;
  const file = Buffer.alloc(memoryAt + memory.bytes.length);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(ET_CORE, 16);
  file.writeUInt16LE(EM_X86_64, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(HEADER), 32);
  file.writeUInt16LE(HEADER, 52);
  file.writeUInt16LE(PROGRAM_HEADER, 54);
  file.writeUInt16LE(2, 56);
  const segment = (at: number, type: number, place: readonly [number, bigint, number]): void => {
    const [offset, address, size] = place;
    file.writeUInt32LE(type, at);
    file.writeUInt32LE(7, at + 4);
    file.writeBigUInt64LE(BigInt(offset), at + 8);
    file.writeBigUInt64LE(address, at + 16);
    file.writeBigUInt64LE(BigInt(size), at + 32);
    file.writeBigUInt64LE(BigInt(size), at + 40);
  };
  segment(HEADER, PT_NOTE, [noteAt, 0n, noteSize]);
  const load = [memoryAt, memory.address, memory.bytes.length] as const;
  segment(HEADER + PROGRAM_HEADER, PT_LOAD, load);
  file.writeUInt32LE(5, noteAt);
  file.writeUInt32LE(STATUS_SIZE, noteAt + 4);
  file.writeUInt32LE(NT_PRSTATUS, noteAt + 8);
  file.write("CORE\0", noteAt + 12, "latin1");
  const registersAt = noteAt + NOTE_HEADER + STATUS_REGISTERS;
  REGISTERS.forEach((name, i) => {
    file.writeBigUInt64LE(BigInt.asUintN(64, register(name) ?? 0n), registersAt + 8 * i);
  });
  file.set(memory.bytes, memoryAt);
  return new Uint8Array(file);
}
