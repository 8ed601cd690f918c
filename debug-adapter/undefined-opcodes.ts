/** Counts the opcodes that the machine answered with #UD because it has no row for them, and says so once each. */
import type { Debuggee } from "./debuggee.ts";
import { hex } from "./text.ts";

/** Bytes that tell one from another: prefixes, opcode and ModRM. */
const OPCODE_BYTES = 4;
/** After so many different ones only the counts go on. */
const MOST_TOLD = 20;

export class UndefinedOpcodes {
  /** Times by opcode bytes, in hexadecimal. */
  readonly counts = new Map<string, number>();

  /** Stops to count and to tell. */
  readonly dispose: () => void;

  constructor(
    { machine, timeline }: Pick<Debuggee, "machine" | "timeline">,
    tell: (text: string) => void,
  ) {
    this.dispose = machine.observe({
      name: "undefined opcodes",
      on: {
        unimplemented: ({ rip, bytes }) => {
          if (timeline?.isRepeating) return undefined;
          const opcode = Array.from(bytes.slice(0, OPCODE_BYTES), (byte) =>
            byte.toString(16).padStart(2, "0"),
          ).join(" ");
          const count = (this.counts.get(opcode) ?? 0) + 1;
          this.counts.set(opcode, count);
          if (count === 1 && this.counts.size <= MOST_TOLD) {
            tell(`#UD at ${hex(rip)}: the machine has no instruction ${opcode} ..`);
          }
          return undefined;
        },
      },
    });
  }
}
