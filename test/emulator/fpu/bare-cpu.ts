/** One instruction at a time through decoder and evaluator, on a CPU with 4 KiB of flat memory. */

import { Decoder } from "../../../emulator/decode/decoder.ts";
import { Evaluator } from "../../../emulator/evaluator/evaluator.ts";
import type { Row } from "../../../emulator/instructions/row.ts";
import { type CpuState, createCpuState } from "../../../emulator/state/cpu-state.ts";
import { GuestFault } from "../../../emulator/system/exceptions.ts";
import type { Vcpu } from "../../../emulator/vcpu.ts";

const LONG_MODE_ACTIVE = 1n << 10n;
const CODE_64 = 0xa9b;

export class BareCpu {
  readonly state: CpuState;
  /** Linear address 0 and on. */
  readonly memory = new DataView(new ArrayBuffer(4096));
  private readonly decoder: Decoder;
  private readonly evaluator: Evaluator;
  private bytes: Uint8Array = new Uint8Array();

  constructor(rows: readonly Row[]) {
    this.decoder = new Decoder(rows);
    const linear = new WebAssembly.Memory({ initial: 1 });
    this.state = createCpuState(linear, 0);
    this.state.cr0 = 0x80000033n;
    this.state.cr4 = 0x620n;
    this.state.efer = LONG_MODE_ACTIVE;
    this.state.cs.attributes = CODE_64;
    const mmu = {
      read: (at: bigint, size: number) => this.load(Number(at), size),
      write: (at: bigint, size: number, value: bigint) => this.store(Number(at), size, value),
      probeWrite: () => {},
    };
    const cpu = { state: this.state, physical: { memory: linear }, mmu } as unknown as Vcpu;
    this.evaluator = new Evaluator({
      cpu,
      endSlice: () => {},
      instructionBytes: (length) => this.bytes.subarray(0, length),
    });
  }

  load(at: number, size: number): bigint {
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) {
      value = (value << 8n) | BigInt(this.memory.getUint8(at + i));
    }
    return value;
  }

  store(at: number, size: number, value: bigint): void {
    for (let i = 0; i < size; i++) {
      this.memory.setUint8(at + i, Number((value >> BigInt(8 * i)) & 0xffn));
    }
  }

  /** Name of the exception that ended it, or "". Bytes that do not decode are "UD". */
  run(bytes: Uint8Array): string {
    const instruction = this.decoder.decode(bytes, 64);
    if (typeof instruction === "string") return "UD";
    this.bytes = bytes;
    try {
      this.evaluator.evaluate(instruction);
      return "";
    } catch (fault) {
      if (fault instanceof GuestFault) return fault.exception;
      throw fault;
    }
  }
}
