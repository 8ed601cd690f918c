/**
 * The forms that are cases of the interpreter's own dispatch: the commonest of a boot of Debian's
 * kernel under MinVisor with its busybox work, in 64-bit mode, by share of retired instructions in
 * percent (sampled every 5,003 instructions of 1.4 G). All others are behind call_indirect: more
 * cases would make the loop slower to compile and to run.
 */
import type { Decoder } from "../decode/decoder.ts";
import type { Addressing, Form } from "../decode/form.ts";

interface HotForm {
  readonly share: number;
  readonly name: string;
  readonly encoding: string;
  readonly size: 2 | 4 | 8;
  readonly addressing: Addressing;
  readonly based?: true;
  readonly repeat?: "REP" | "REPNE";
}

const HOT_FORMS: readonly HotForm[] = [
  { share: 14.19, name: "MOV", encoding: "89 /r", size: 4, addressing: "none" },
  { share: 7.33, name: "XOR", encoding: "31 /r", size: 4, addressing: "none" },
  { share: 4.21, name: "ADD", encoding: "01 /r", size: 4, addressing: "none" },
  { share: 3.27, name: "ROR", encoding: "C1 /1", size: 4, addressing: "none" },
  { share: 2.89, name: "JZ", encoding: "74", size: 8, addressing: "none" },
  { share: 2.83, name: "ROL", encoding: "C1 /0", size: 4, addressing: "none" },
  { share: 2.78, name: "CMP", encoding: "39 /r", size: 8, addressing: "none" },
  { share: 2.7, name: "MOV", encoding: "8B /r", size: 4, addressing: "modRm" },
  { share: 2.61, name: "MOV", encoding: "8B /r", size: 8, addressing: "modRm" },
  { share: 2.53, name: "AND", encoding: "21 /r", size: 4, addressing: "none" },
  { share: 2.5, name: "ADD", encoding: "83 /0", size: 8, addressing: "none" },
  { share: 2.41, name: "MOV", encoding: "89 /r", size: 8, addressing: "none" },
  { share: 2.34, name: "JNZ", encoding: "75", size: 8, addressing: "none" },
  { share: 1.87, name: "MOV", encoding: "89 /r", size: 8, addressing: "modRm" },
  { share: 1.74, name: "ADD", encoding: "03 /r", size: 4, addressing: "modRm" },
  { share: 1.69, name: "LEA", encoding: "8D /r", size: 8, addressing: "modRm" },
  { share: 1.48, name: "JB", encoding: "72", size: 8, addressing: "none" },
  { share: 1.37, name: "SUB", encoding: "29 /r", size: 8, addressing: "none" },
  { share: 1.33, name: "CMP", encoding: "83 /7", size: 8, addressing: "none" },
  { share: 1.33, name: "MOVZX", encoding: "0F B6 /r", size: 4, addressing: "modRm" },
  { share: 1.22, name: "MOV", encoding: "89 /r", size: 4, addressing: "modRm" },
  { share: 1.19, name: "JMP", encoding: "EB", size: 8, addressing: "none" },
  { share: 1.15, name: "SHR", encoding: "C1 /5", size: 4, addressing: "none" },
  { share: 1.14, name: "JMP", encoding: "E9", size: 8, addressing: "none" },
  { share: 1.08, name: "POP", encoding: "58 +r", size: 8, addressing: "none" },
  { share: 1.06, name: "SHL", encoding: "C1 /4", size: 8, addressing: "none" },
  { share: 1.05, name: "ADD", encoding: "01 /r", size: 8, addressing: "none" },
  { share: 1.03, name: "PUSH", encoding: "50 +r", size: 8, addressing: "none" },
  { share: 1.0, name: "STOS", encoding: "AB", size: 8, addressing: "none", repeat: "REP" },
  { share: 0.97, name: "OR", encoding: "09 /r", size: 8, addressing: "none" },
  { share: 0.9, name: "MOVS", encoding: "A5", size: 8, addressing: "none", repeat: "REP" },
  { share: 0.89, name: "JZ", encoding: "0F 84", size: 8, addressing: "none" },
  { share: 0.86, name: "TEST", encoding: "84 /r", size: 4, addressing: "none" },
  { share: 0.84, name: "ADD", encoding: "83 /0", size: 4, addressing: "none" },
  { share: 0.83, name: "JNZ", encoding: "0F 85", size: 8, addressing: "none" },
  { share: 0.8, name: "CMP", encoding: "83 /7", size: 4, addressing: "modRm" },
  { share: 0.79, name: "LEA", encoding: "8D /r", size: 4, addressing: "modRm" },
  { share: 0.7, name: "STOS", encoding: "AA", size: 4, addressing: "none", repeat: "REP" },
  { share: 0.67, name: "MOVS", encoding: "A4", size: 4, addressing: "none", repeat: "REP" },
  { share: 0.67, name: "CMP", encoding: "39 /r", size: 4, addressing: "none" },
  { share: 0.66, name: "INC", encoding: "FF /0", size: 8, addressing: "none" },
  { share: 0.66, name: "MOVSXD", encoding: "63 /r", size: 8, addressing: "none" },
  { share: 0.66, name: "CALL", encoding: "E8", size: 8, addressing: "none" },
  { share: 0.61, name: "NOT", encoding: "F7 /2", size: 4, addressing: "none" },
  { share: 0.55, name: "RET", encoding: "C3", size: 8, addressing: "none" },
  { share: 0.54, name: "JNS", encoding: "79", size: 8, addressing: "none" },
  { share: 0.52, name: "TEST", encoding: "85 /r", size: 4, addressing: "none" },
  { share: 0.47, name: "MOVZX", encoding: "0F B7 /r", size: 4, addressing: "modRm" },
  { share: 0.45, name: "CMP", encoding: "83 /7", size: 4, addressing: "none" },
  { share: 0.45, name: "JNB", encoding: "73", size: 8, addressing: "none" },
  { share: 0.42, name: "MOV", encoding: "B8 +r", size: 4, addressing: "none" },
  { share: 0.35, name: "JNBE", encoding: "77", size: 8, addressing: "none" },
  { share: 0.34, name: "TEST", encoding: "85 /r", size: 8, addressing: "none" },
  { share: 0.33, name: "AND", encoding: "83 /4", size: 4, addressing: "none" },
  { share: 0.32, name: "SUB", encoding: "83 /5", size: 8, addressing: "none" },
  { share: 0.3, name: "CMP", encoding: "3C", size: 4, addressing: "none" },
  { share: 0.28, name: "TEST", encoding: "F6 /0", size: 4, addressing: "modRm" },
  { share: 0.26, name: "CMP", encoding: "80 /7", size: 4, addressing: "modRm" },
  { share: 0.24, name: "JBE", encoding: "0F 86", size: 8, addressing: "none" },
  { share: 0.23, name: "MOVZX", encoding: "0F B6 /r", size: 4, addressing: "none" },
  { share: 0.2, name: "NOP", encoding: "0F 1F /r", size: 4, addressing: "modRm" },
  { share: 0.2, name: "SHR", encoding: "C1 /5", size: 8, addressing: "none" },
  { share: 0.19, name: "CMP", encoding: "81 /7", size: 8, addressing: "none" },
  { share: 0.18, name: "CMP", encoding: "39 /r", size: 4, addressing: "modRm" },
  { share: 0.18, name: "MOVSXD", encoding: "63 /r", size: 8, addressing: "modRm" },
  { share: 0.17, name: "MOV", encoding: "C7 /0", size: 8, addressing: "modRm" },
  { share: 0.17, name: "SUB", encoding: "83 /5", size: 4, addressing: "none" },
  { share: 0.17, name: "AND", encoding: "81 /4", size: 4, addressing: "none" },
  { share: 0.17, name: "MOV", encoding: "8A /r", size: 4, addressing: "modRm" },
  { share: 0.17, name: "MOV", encoding: "89 /r", size: 2, addressing: "modRm" },
  { share: 0.17, name: "MOV", encoding: "88 /r", size: 4, addressing: "modRm" },
  { share: 0.15, name: "BSWAP", encoding: "0F C8 +r", size: 4, addressing: "none" },
  { share: 0.15, name: "CMP", encoding: "38 /r", size: 4, addressing: "modRm" },
  { share: 0.15, name: "SUB", encoding: "29 /r", size: 4, addressing: "none" },
  { share: 0.14, name: "ADD", encoding: "03 /r", size: 8, addressing: "modRm" },
  { share: 0.13, name: "MOV", encoding: "C7 /0", size: 4, addressing: "modRm" },
  { share: 0.13, name: "DEC", encoding: "FF /1", size: 4, addressing: "none" },
  { share: 0.12, name: "MOV", encoding: "C6 /0", size: 4, addressing: "modRm" },
  { share: 0.11, name: "MOV", encoding: "8B /r", size: 8, addressing: "modRm", based: true },
  { share: 0.11, name: "MOV", encoding: "C7 /0", size: 8, addressing: "none" },
  { share: 0.11, name: "CMP", encoding: "3A /r", size: 4, addressing: "modRm" },
  { share: 0.1, name: "CMP", encoding: "80 /7", size: 4, addressing: "none" },
  { share: 0.1, name: "CMP", encoding: "83 /7", size: 8, addressing: "modRm" },
  { share: 0.1, name: "JB", encoding: "0F 82", size: 8, addressing: "none" },
  { share: 0.1, name: "SAR", encoding: "C1 /7", size: 8, addressing: "none" },
  { share: 0.09, name: "JNB", encoding: "0F 83", size: 8, addressing: "none" },
  { share: 0.09, name: "CMP", encoding: "39 /r", size: 8, addressing: "modRm" },
  { share: 0.09, name: "SAR", encoding: "D1 /7", size: 8, addressing: "none" },
  { share: 0.08, name: "JNBE", encoding: "0F 87", size: 8, addressing: "none" },
  { share: 0.07, name: "NOT", encoding: "F7 /2", size: 8, addressing: "none" },
  { share: 0.07, name: "CMP", encoding: "3B /r", size: 4, addressing: "modRm" },
  { share: 0.07, name: "JS", encoding: "0F 88", size: 8, addressing: "none" },
  { share: 0.07, name: "SUB", encoding: "2B /r", size: 8, addressing: "modRm", based: true },
  { share: 0.07, name: "CMOVNB", encoding: "0F 43 /r", size: 8, addressing: "none" },
  { share: 0.06, name: "AND", encoding: "83 /4", size: 8, addressing: "none" },
  { share: 0.06, name: "JNLE", encoding: "7F", size: 8, addressing: "none" },
  { share: 0.06, name: "AND", encoding: "21 /r", size: 8, addressing: "none" },
  { share: 0.06, name: "SHR", encoding: "D1 /5", size: 8, addressing: "none" },
  { share: 0.06, name: "SBB", encoding: "19 /r", size: 4, addressing: "none" },
  { share: 0.06, name: "TEST", encoding: "F6 /0", size: 4, addressing: "none" },
  { share: 0.06, name: "DEC", encoding: "FF /1", size: 4, addressing: "modRm", based: true },
  { share: 0.05, name: "CMOVB", encoding: "0F 42 /r", size: 8, addressing: "none" },
  { share: 0.05, name: "INC", encoding: "FF /0", size: 4, addressing: "modRm", based: true },
  { share: 0.05, name: "SHL", encoding: "C1 /4", size: 4, addressing: "none" },
  { share: 0.05, name: "ADD", encoding: "05", size: 8, addressing: "none" },
  { share: 0.05, name: "TEST", encoding: "A8", size: 4, addressing: "none" },
  { share: 0.05, name: "MOV", encoding: "8B /r", size: 4, addressing: "modRm", based: true },
  { share: 0.05, name: "JLE", encoding: "7E", size: 8, addressing: "none" },
  { share: 0.04, name: "JS", encoding: "78", size: 8, addressing: "none" },
  { share: 0.04, name: "XOR", encoding: "31 /r", size: 8, addressing: "none" },
  { share: 0.04, name: "JBE", encoding: "76", size: 8, addressing: "none" },
  { share: 0.04, name: "NOP", encoding: "90", size: 2, addressing: "none" },
];

/** Their forms in a decoder's table. */
export function hotForms(decoder: Decoder): readonly Form[] {
  return HOT_FORMS.map(({ name, encoding, size, addressing, based, repeat }) => {
    const parsed = decoder.parsedRows.find(
      ({ row }) => row.encoding === encoding && row.mnemonic === name,
    );
    if (parsed === undefined) throw new Error(`Hot form ${name} ${encoding} has no row`);
    return decoder.formTable.get({
      parsed,
      operandSize: size,
      addressSize: 8,
      long: true,
      addressing,
      based: based ?? false,
      repeatPrefix: repeat ?? "none",
    });
  });
}
