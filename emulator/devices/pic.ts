/** The PC's pair of 8259A interrupt controllers with the ELCR (Intel 8259A data sheet, 82371SB). */

import { copyState } from "./copy-state.ts";
import type { Device, DeviceRegisters, DeviceState, Line } from "./device.ts";
import { describeLines } from "./interrupt-bits.ts";

const CASCADE = 2;
/** Lines of the ELCR that are always edge-triggered: 0, 1, 2 of the first chip, 8, 13 of the second. */
const ELCR_FIXED = [0x07, 0x21] as const;

const chipPowerOn = () => ({
  irr: 0,
  imr: 0,
  isr: 0,
  /** Levels of the inputs, for edges. */
  inputs: 0,
  elcr: 0,
  vectorBase: 0,
  /** Lowest-numbered line of the rotation: the one with the highest priority. */
  highest: 0,
  /** Which initialisation word comes next; 0 when initialised. */
  expects: 0,
  needsIcw4: false,
  single: false,
  readIsr: false,
  poll: false,
  specialMask: false,
  autoEoi: false,
  rotateOnAutoEoi: false,
  specialFullyNested: false,
});
type Chip = ReturnType<typeof chipPowerOn>;
const NONE = 8;

/** Place in the rotation (0 is highest) of the best line in the mask, or NONE. */
function priorityOf(chip: Chip, mask: number): number {
  if (mask === 0) return NONE;
  for (let place = 0; ; place++) if (mask & (1 << ((place + chip.highest) & 7))) return place;
}

/** Registers of a chip whose lines are the IRQs from `first` on. */
function describeChip(chip: Chip, suffix: string, first: number): DeviceRegisters {
  const lines = (value: number) => ({ value, words: describeLines(value, first) });
  const last = `0x${(chip.vectorBase + 7).toString(16)}`;
  return {
    [`irr${suffix}`]: lines(chip.irr),
    [`isr${suffix}`]: lines(chip.isr),
    [`imr${suffix}`]: lines(chip.imr),
    [`elcr${suffix}`]: lines(chip.elcr),
    [`base${suffix}`]: { value: chip.vectorBase, words: `vectors up to ${last}` },
  };
}

const lineAt = (chip: Chip, place: number) => (place + chip.highest) & 7;

export class Pic implements Device {
  readonly name = "pic";
  private readonly output: Line;
  private chips: [Chip, Chip] = [chipPowerOn(), chipPowerOn()];

  /** `output` is INTR of the first chip. */
  constructor(output: Line) {
    this.output = output;
  }

  reset(): void {
    this.chips = [chipPowerOn(), chipPowerOn()];
    this.update();
  }

  save(): DeviceState {
    return { master: copyState(this.chips[0]), slave: copyState(this.chips[1]) };
  }

  restore(state: DeviceState): void {
    this.chips = [copyState(state.master as Chip), copyState(state.slave as Chip)];
  }

  /** One of the sixteen ISA lines. */
  setLine(line: number, high: boolean): void {
    this.setInput(line >> 3, line & 7, high);
    this.update();
  }

  /** INTR is asserted. */
  get pending(): boolean {
    return this.request(0) >= 0;
  }

  /** The INTA cycles: gives the vector. A request that went away reads as line 7 (spurious). */
  acknowledge(): number {
    const [master, slave] = this.chips;
    const line = this.request(0);
    if (line < 0) return master.vectorBase + 7;
    this.serve(0, line);
    let vector = master.vectorBase + line;
    if (line === CASCADE && !master.single) {
      const second = this.request(1);
      if (second >= 0) this.serve(1, second);
      vector = slave.vectorBase + (second >= 0 ? second : 7);
    }
    this.update();
    return vector;
  }

  readPort(port: number): number {
    if (port === 0x4d0 || port === 0x4d1) return this.chips[(port & 1) as 0 | 1].elcr;
    const index = port & 0x80 ? 1 : 0;
    const chip = this.chips[index];
    if (chip.poll) return this.readPoll(index);
    if (port & 1) return chip.imr;
    return chip.readIsr ? chip.isr : chip.irr;
  }

  writePort(port: number, _size: 1 | 2 | 4, wide: number): void {
    const value = wide & 0xff;
    if (port === 0x4d0 || port === 0x4d1) {
      const index = (port & 1) as 0 | 1;
      this.chips[index].elcr = value & ~ELCR_FIXED[index];
      return;
    }
    const index = port & 0x80 ? 1 : 0;
    if (port & 1) this.writeData(this.chips[index], value);
    else if (value & 0x10) this.startInitialisation(index, value);
    else if (value & 0x08) this.writeOcw3(this.chips[index], value);
    else this.writeOcw2(this.chips[index], value);
    this.update();
  }

  describe() {
    const [master, slave] = this.chips;
    return { ...describeChip(master, "", 0), ...describeChip(slave, "2", 8) };
  }

  private setInput(index: number, line: number, high: boolean): void {
    const chip = this.chips[index as 0 | 1];
    const bit = 1 << line;
    if (chip.elcr & bit) chip.irr = high ? chip.irr | bit : chip.irr & ~bit;
    else if (high && !(chip.inputs & bit)) chip.irr |= bit;
    chip.inputs = high ? chip.inputs | bit : chip.inputs & ~bit;
  }

  /** The line that this chip asks to have served, or -1. */
  private request(index: 0 | 1): number {
    const chip = this.chips[index];
    const place = priorityOf(chip, chip.irr & ~chip.imr);
    if (place === NONE) return -1;
    let serving = chip.isr;
    if (chip.specialMask) serving &= ~chip.imr;
    // In special fully nested mode the slave may interrupt its own service.
    if (chip.specialFullyNested && index === 0) serving &= ~(1 << CASCADE);
    return place < priorityOf(chip, serving) ? lineAt(chip, place) : -1;
  }

  private serve(index: 0 | 1, line: number): void {
    const chip = this.chips[index];
    const bit = 1 << line;
    if (!chip.autoEoi) chip.isr |= bit;
    else if (chip.rotateOnAutoEoi) chip.highest = (line + 1) & 7;
    if (!(chip.elcr & bit)) chip.irr &= ~bit;
    // INT drops while it is acknowledged, so that the next request is an edge for the first chip.
    if (index === 1) this.setInput(0, CASCADE, false);
  }

  /** Poll command: the next read is an acknowledge (bit 7: a request; 2:0 its line). */
  private readPoll(index: 0 | 1): number {
    const chip = this.chips[index];
    const line = this.request(index);
    if (line >= 0) this.serve(index, line);
    chip.poll = false;
    this.update();
    return line < 0 ? 0 : 0x80 | line;
  }

  /**
   * ICW1 clears the edge detectors (a line that is high must fall and rise again), the mask and the
   * modes; the ELCR is not part of the 8259.
   */
  private startInitialisation(index: 0 | 1, value: number): void {
    const { elcr, inputs } = this.chips[index];
    const chip = { ...chipPowerOn(), elcr, inputs, irr: inputs & elcr };
    chip.expects = 2;
    chip.needsIcw4 = (value & 1) !== 0;
    chip.single = (value & 2) !== 0;
    this.chips[index] = chip;
  }

  private writeData(chip: Chip, value: number): void {
    switch (chip.expects) {
      case 2:
        chip.vectorBase = value & 0xf8;
        chip.expects = chip.single ? (chip.needsIcw4 ? 4 : 0) : 3;
        break;
      case 3:
        chip.expects = chip.needsIcw4 ? 4 : 0;
        break;
      case 4:
        chip.specialFullyNested = (value & 0x10) !== 0;
        chip.autoEoi = (value & 2) !== 0;
        chip.expects = 0;
        break;
      default:
        chip.imr = value;
    }
  }

  private writeOcw3(chip: Chip, value: number): void {
    if (value & 4) chip.poll = true;
    if (value & 2) chip.readIsr = (value & 1) !== 0;
    if (value & 0x40) chip.specialMask = (value & 0x20) !== 0;
  }

  /** OCW2 by R, SL, EOI: end of interrupt (specific or not), rotation, set priority. */
  private writeOcw2(chip: Chip, value: number): void {
    const line = value & 7;
    switch (value >> 5) {
      case 0:
      case 4:
        chip.rotateOnAutoEoi = value >> 5 === 4;
        break;
      case 1:
      case 5: {
        const place = priorityOf(chip, chip.isr);
        if (place === NONE) break;
        const served = lineAt(chip, place);
        chip.isr &= ~(1 << served);
        if (value >> 5 === 5) chip.highest = (served + 1) & 7;
        break;
      }
      case 3:
      case 7:
        chip.isr &= ~(1 << line);
        if (value >> 5 === 7) chip.highest = (line + 1) & 7;
        break;
      case 6:
        chip.highest = (line + 1) & 7;
        break;
      default:
        break;
    }
  }

  private update(): void {
    this.setInput(0, CASCADE, this.request(1) >= 0);
    this.output(this.pending);
  }
}
