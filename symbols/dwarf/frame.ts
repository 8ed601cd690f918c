// Call frame information: finds the rules for a pc (.debug_frame, .eh_frame; section 6.4).
import { type FrameDescription, readFrames } from "./frame-entries.ts";
import { FormatError, Reader } from "./reader.ts";
import type { DwarfSections } from "./sections.ts";

/** How a register of the caller is recovered (section 6.4.1). */
export type RegisterRule =
  | { readonly kind: "undefined" | "same" }
  /** Saved in memory at CFA + offset. */
  | { readonly kind: "offset"; readonly offset: bigint }
  /** Is CFA + offset. */
  | { readonly kind: "valueOffset"; readonly offset: bigint }
  | { readonly kind: "register"; readonly register: number }
  /** Saved in memory at the address that the expression gives over the CFA. */
  | { readonly kind: "expression"; readonly expression: Uint8Array }
  | { readonly kind: "valueExpression"; readonly expression: Uint8Array };

export type CfaRule =
  | { readonly kind: "register"; readonly register: number; readonly offset: bigint }
  | { readonly kind: "expression"; readonly expression: Uint8Array };

export interface FrameRules {
  readonly cfa: CfaRule;
  readonly registers: ReadonlyMap<number, RegisterRule>;
  readonly returnAddressRegister: number;
  /** The frame was entered by an interrupt: its pc is not behind a call. */
  readonly isSignalFrame: boolean;
}

/** All call frame information of one file. What cannot be read is in `problems`. */
export class CallFrames {
  readonly problems: string[] = [];
  private readonly frames: readonly FrameDescription[];

  constructor(sections: DwarfSections) {
    // Where both sections describe a function they agree; .debug_frame is looked at first.
    this.frames = [
      ...readFrames(sections, "frame", this.problems),
      ...readFrames(sections, "ehFrame", this.problems),
    ].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  }

  /** The rules at `pc`; undefined where nothing describes it. Throws for a damaged program. */
  rulesAt(pc: bigint): FrameRules | undefined {
    let low = 0;
    let high = this.frames.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.frames[middle]!.start <= pc) low = middle + 1;
      else high = middle;
    }
    for (let i = low - 1; i >= 0 && i >= low - 4; i--) {
      const frame = this.frames[i]!;
      if (pc < frame.end) return runFrame(frame, pc);
    }
    return undefined;
  }
}

interface Row {
  cfa: CfaRule | undefined;
  registers: Map<number, RegisterRule>;
}

function runFrame(frame: FrameDescription, pc: bigint): FrameRules {
  const { common } = frame;
  const program = new FrameProgram(frame);
  program.run(common.instructions, common.initialLocation, undefined);
  program.initial = new Map(program.row.registers);
  program.run(frame.instructions, frame.start, pc);
  const { cfa, registers } = program.row;
  if (!cfa) throw new FormatError("call frame information without a rule for the frame address");
  return {
    cfa,
    registers,
    returnAddressRegister: common.returnAddressRegister,
    isSignalFrame: common.isSignalFrame,
  };
}

/** Runs call frame instructions (section 6.4.2) up to the row of a pc. */
class FrameProgram {
  row: Row = { cfa: undefined, registers: new Map() };
  initial: ReadonlyMap<number, RegisterRule> = new Map();
  private readonly frame: FrameDescription;
  private readonly saved: Row[] = [];
  private location = 0n;

  constructor(frame: FrameDescription) {
    this.frame = frame;
  }

  run(instructions: Reader, start: bigint, pc: bigint | undefined): void {
    const { bytes, name, position, end } = instructions;
    const reader = new Reader(bytes, name, position, end);
    this.location = start;
    while (!reader.atEnd && (pc === undefined || this.location <= pc)) {
      const opcode = reader.u8();
      const operand = opcode & 0x3f;
      if (opcode >> 6 === 1) this.advance(operand);
      else if (opcode >> 6 === 2) this.setOffset(operand, reader.uleb64());
      else if (opcode >> 6 === 3) this.restore(operand);
      else if (!this.move(opcode, reader)) {
        if (!this.defineCfa(opcode, reader)) this.defineRegister(opcode, reader);
      }
    }
  }

  private advance(by: number): void {
    this.location += BigInt(by) * this.frame.common.codeAlignment;
  }

  /** Instructions that move the location or keep and recall rows. */
  private move(opcode: number, reader: Reader): boolean {
    if (opcode === 0x01)
      this.location = this.frame.readAddress(reader); // set_loc
    else if (opcode === 0x02) this.advance(reader.u8());
    else if (opcode === 0x03) this.advance(reader.u16());
    else if (opcode === 0x04) this.advance(reader.u32());
    else if (opcode === 0x0a) {
      this.saved.push({ ...this.row, registers: new Map(this.row.registers) }); // remember_state
    } else if (opcode === 0x0b) {
      const row = this.saved.pop(); // restore_state
      if (!row) throw reader.error("restores a row that was not remembered");
      this.row = row;
    } else return false;
    return true;
  }

  private defineCfa(opcode: number, reader: Reader): boolean {
    const scale = this.frame.common.dataAlignment;
    if (opcode === 0x0c)
      this.setCfa(reader.uleb(), reader.uleb64()); // def_cfa
    else if (opcode === 0x12)
      this.setCfa(reader.uleb(), reader.sleb64() * scale); // def_cfa_sf
    else if (opcode === 0x0d) this.setCfa(reader.uleb(), this.cfa(reader).offset);
    else if (opcode === 0x0e) this.setCfa(this.cfa(reader).register, reader.uleb64());
    else if (opcode === 0x13) this.setCfa(this.cfa(reader).register, reader.sleb64() * scale);
    else if (opcode === 0x0f) {
      const expression = reader.block(reader.uleb()); // def_cfa_expression
      this.row.cfa = { kind: "expression", expression };
    } else return false;
    return true;
  }

  private defineRegister(opcode: number, reader: Reader): void {
    const { registers } = this.row;
    const scale = this.frame.common.dataAlignment;
    if (opcode === 0x00) return; // nop
    if (opcode === 0x2e) {
      reader.uleb(); // GNU_args_size
      return;
    }
    const register = reader.uleb();
    if (opcode === 0x05)
      this.setOffset(register, reader.uleb64()); // offset_extended
    else if (opcode === 0x11)
      this.setOffset(register, reader.sleb64()); // offset_extended_sf
    else if (opcode === 0x2f)
      this.setOffset(register, -reader.uleb64()); // GNU_negative_offset
    else if (opcode === 0x06) this.restore(register);
    else if (opcode === 0x07) registers.set(register, { kind: "undefined" });
    else if (opcode === 0x08) registers.set(register, { kind: "same" });
    else if (opcode === 0x09)
      registers.set(register, { kind: "register", register: reader.uleb() });
    else if (opcode === 0x14) {
      registers.set(register, { kind: "valueOffset", offset: reader.uleb64() * scale });
    } else if (opcode === 0x15) {
      registers.set(register, { kind: "valueOffset", offset: reader.sleb64() * scale });
    } else if (opcode === 0x10) {
      registers.set(register, { kind: "expression", expression: reader.block(reader.uleb()) });
    } else if (opcode === 0x16) {
      registers.set(register, { kind: "valueExpression", expression: reader.block(reader.uleb()) });
    } else throw reader.error(`unknown call frame instruction 0x${opcode.toString(16)}`);
  }

  private setOffset(register: number, factored: bigint): void {
    const offset = factored * this.frame.common.dataAlignment;
    this.row.registers.set(register, { kind: "offset", offset });
  }

  private restore(register: number): void {
    const rule = this.initial.get(register);
    if (rule) this.row.registers.set(register, rule);
    else this.row.registers.delete(register);
  }

  private setCfa(register: number, offset: bigint): void {
    this.row.cfa = { kind: "register", register, offset };
  }

  private cfa(reader: Reader) {
    const { cfa } = this.row;
    if (cfa?.kind !== "register")
      throw reader.error("changes a frame address that has no register");
    return cfa;
  }
}
