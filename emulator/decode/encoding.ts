/** Reads the encoding notation of rows ("66 0F 6F /r", "80 /4", "50 +r", "0F 01 D8"). */

/** Opcode maps: one-byte, 0F, 0F 38, 0F 3A. */
export type OpcodeMap = 0 | 1 | 2 | 3;

export interface Encoding {
  /** Mandatory prefix; "NP" means none of 66, F2, F3; undefined means that any is accepted. */
  readonly prefix: "NP" | "66" | "F2" | "F3" | undefined;
  readonly map: OpcodeMap;
  readonly opcode: number;
  /** The low three bits of the opcode name a register. */
  readonly registerInOpcode: boolean;
  readonly hasModRm: boolean;
  /** Required ModRM.reg. */
  readonly extension: number | undefined;
  /** Required ModRM byte, or the first of eight when modRmRange is set. */
  readonly fixedModRm: number | undefined;
  readonly modRmRange: boolean;
}

const MANDATORY = new Set(["NP", "66", "F2", "F3"]);

function takeMap(bytes: string[]): OpcodeMap {
  const opens = (byte: string): boolean => bytes[0] === byte && bytes.length > 1;
  if (!opens("0F")) return 0;
  bytes.shift();
  const map = opens("38") ? 2 : opens("3A") ? 3 : 1;
  if (map !== 1) bytes.shift();
  return map;
}

/** Parses one row's encoding; throws on notation that is not understood. */
export function parseEncoding(text: string): Encoding {
  const parts = text.split(/\s+/);
  const bytes = parts.filter((p) => /^[0-9A-F]{2}$/.test(p) || p === "NP");
  const marks = parts.filter((p) => !/^[0-9A-F]{2}$/.test(p) && p !== "NP");
  let prefix: Encoding["prefix"];
  if (bytes.length > 1 && MANDATORY.has(bytes[0] ?? "")) {
    prefix = bytes.shift() as Encoding["prefix"];
  }
  const map = takeMap(bytes);
  const opcode = Number.parseInt(bytes.shift() ?? "", 16);
  const fixed = bytes.shift();
  const extension = marks.find((m) => /^\/[0-7]$/.test(m));
  const known = marks.every((m) => m === "/r" || m === "+r" || m === "+i" || m === extension);
  if (Number.isNaN(opcode) || bytes.length > 0 || !known) {
    throw new Error(`Encoding "${text}" is not understood`);
  }
  return {
    prefix,
    map,
    opcode,
    registerInOpcode: marks.includes("+r"),
    hasModRm: marks.includes("/r") || extension !== undefined || fixed !== undefined,
    extension: extension === undefined ? undefined : Number(extension[1]),
    fixedModRm: fixed === undefined ? undefined : Number.parseInt(fixed, 16),
    modRmRange: marks.includes("+i"),
  };
}
