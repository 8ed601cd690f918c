// Runs a line number program into its rows (DWARF 5 section 6.2.5).
import type { LineHeader } from "./line-header.ts";
import { Reader } from "./reader.ts";

export interface LineRow {
  readonly address: bigint;
  /** Index into the header's files. */
  readonly file: number;
  readonly line: number;
  readonly column: number;
  readonly isStatement: boolean;
  readonly prologueEnd: boolean;
  /** One past the last instruction of its sequence; its file and line mean nothing. */
  readonly endSequence: boolean;
}

/** Runs the whole program. Throws where it is damaged; the rows before that are in `rows`. */
export function runLineProgram(header: LineHeader, rows: LineRow[]): void {
  const machine = new LineMachine(header, rows);
  const { program } = header;
  const reader = new Reader(program.bytes, program.name, program.position, program.end);
  while (!reader.atEnd) {
    const opcode = reader.u8();
    if (opcode >= header.opcodeBase) machine.special(opcode);
    else if (opcode === 0) machine.extended(reader);
    else machine.standard(opcode, reader);
  }
}

/** The state machine of section 6.2.2 with its registers. */
class LineMachine {
  private readonly header: LineHeader;
  private readonly rows: LineRow[];
  private readonly mask: bigint;
  private address = 0n;
  private operation = 0;
  private file = 1;
  private line = 1;
  private column = 0;
  private isStatement: boolean;
  private prologueEnd = false;

  constructor(header: LineHeader, rows: LineRow[]) {
    this.header = header;
    this.rows = rows;
    this.mask = (1n << BigInt(header.addressSize * 8)) - 1n;
    this.isStatement = header.defaultIsStatement;
  }

  special(opcode: number): void {
    const adjusted = opcode - this.header.opcodeBase;
    this.advance(Math.floor(adjusted / this.header.lineRange));
    this.line += this.header.lineBase + (adjusted % this.header.lineRange);
    this.emit(false);
  }

  standard(opcode: number, reader: Reader): void {
    switch (opcode) {
      case 1: // DW_LNS_copy
        this.emit(false);
        return;
      case 2: // DW_LNS_advance_pc
        this.advance(reader.uleb());
        return;
      case 3: // DW_LNS_advance_line
        this.line += reader.sleb();
        return;
      case 4: // DW_LNS_set_file
        this.file = reader.uleb();
        return;
      case 5: // DW_LNS_set_column
        this.column = reader.uleb();
        return;
      case 6: // DW_LNS_negate_stmt
        this.isStatement = !this.isStatement;
        return;
      case 8: // DW_LNS_const_add_pc
        this.advance(Math.floor((255 - this.header.opcodeBase) / this.header.lineRange));
        return;
      case 9: // DW_LNS_fixed_advance_pc
        this.address = (this.address + BigInt(reader.u16())) & this.mask;
        this.operation = 0;
        return;
      case 10: // DW_LNS_set_prologue_end
        this.prologueEnd = true;
        return;
      default: // basic_block, epilogue_begin, set_isa and what may come: operands are LEB128
        for (let i = this.header.opcodeLengths[opcode - 1] ?? 0; i > 0; i--) reader.uleb64();
    }
  }

  extended(reader: Reader): void {
    const operand = reader.slice(reader.uleb());
    if (operand.atEnd) return;
    switch (operand.u8()) {
      case 1: // DW_LNE_end_sequence
        this.emit(true);
        this.reset();
        return;
      case 2: // DW_LNE_set_address
        this.address = operand.unsigned(Math.min(operand.remaining, 8));
        this.operation = 0;
    }
  }

  private advance(by: number): void {
    const { minimumInstructionLength, maximumOperations } = this.header;
    const operations = this.operation + by;
    const instructions = BigInt(Math.floor(operations / maximumOperations));
    this.address = (this.address + BigInt(minimumInstructionLength) * instructions) & this.mask;
    this.operation = operations % maximumOperations;
  }

  private emit(endSequence: boolean): void {
    const { address, file, line, column, isStatement, prologueEnd } = this;
    this.rows.push({ address, file, line, column, isStatement, prologueEnd, endSequence });
    this.prologueEnd = false;
  }

  private reset(): void {
    this.address = 0n;
    this.operation = 0;
    this.file = 1;
    this.line = 1;
    this.column = 0;
    this.isStatement = this.header.defaultIsStatement;
    this.prologueEnd = false;
  }
}
