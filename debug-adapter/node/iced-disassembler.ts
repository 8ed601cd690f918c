/** The disassembler: iced-x86 in its build for Node.js. */
import {
  Decoder,
  DecoderOptions,
  FlowControl,
  Formatter,
  FormatterSyntax,
  Mnemonic,
  OpKind,
} from "iced-x86";
import type { DecodedInstruction, Disassembler, Flow } from "../services.ts";

function flowOf(control: FlowControl): Flow {
  switch (control) {
    case FlowControl.Next:
      return "next";
    case FlowControl.Call:
    case FlowControl.IndirectCall:
    case FlowControl.Interrupt:
      return "call";
    case FlowControl.Return:
      return "return";
    case FlowControl.UnconditionalBranch:
    case FlowControl.ConditionalBranch:
    case FlowControl.IndirectBranch:
      return "jump";
    default:
      return "other";
  }
}

export class IcedDisassembler implements Disassembler {
  private readonly formatter = new Formatter(FormatterSyntax.Gas);

  decode(bytes: Uint8Array, address: bigint, bits: 16 | 32 | 64, count: number) {
    const decoder = new Decoder(bits, bytes, DecoderOptions.AMD);
    decoder.ip = address;
    const decoded: DecodedInstruction[] = [];
    while (decoder.canDecode && decoded.length < count) {
      const start = decoder.position;
      const instruction = decoder.decode();
      const isValid = !instruction.isInvalid;
      // A byte that begins no instruction stands alone, so that decoding goes on behind it.
      if (!isValid) {
        decoder.position = start + 1;
        decoder.ip = address + BigInt(start + 1);
      }
      const isNear = isValid && /NearBranch/.test(OpKind[instruction.op0Kind] ?? "");
      decoded.push({
        length: isValid ? instruction.length : 1,
        text: isValid ? this.formatter.format(instruction) : "(bad)",
        flow: isValid ? flowOf(instruction.flowControl) : "other",
        isValid,
        mnemonic: (Mnemonic[instruction.mnemonic] ?? "").toLowerCase(),
        target: isNear ? instruction.nearBranchTarget : undefined,
      });
      instruction.free();
    }
    decoder.free();
    return decoded;
  }
}
