/** Whether a word of a stack can be a return address: code of a known program, behind a CALL. */
import type { Debuggee } from "../debuggee.ts";
import type { Image } from "../images.ts";
import type { World } from "../register-file.ts";
import type { StackMemory } from "./stack-memory.ts";

/** Whether `address` lies in a part of the image that is executed. */
function isCode(image: Image, address: bigint): boolean {
  const { slide } = image;
  if (slide === undefined) return false;
  const linked = BigInt.asUintN(64, address - slide);
  const { segments } = image.parts;
  return segments.some(
    ({ virtual, size, isExecutable }) =>
      isExecutable && virtual <= linked && linked < virtual + size,
  );
}

export function isReturnInto(
  debuggee: Debuggee,
  world: World,
  memory: StackMemory,
  address: bigint,
): boolean {
  if (address < 2n) return false;
  const image = debuggee.images.at(world, address - 1n);
  if (image === undefined) return false;
  // An image that came without segments (a kernel's own symbols) tells code by its functions.
  const isInCode =
    image.parts.segments.length > 0
      ? isCode(image, address - 1n)
      : image.symbols.functionAt(address - 1n) !== undefined;
  return isInCode && isBehindCall(memory, address);
}

const CALL_RELATIVE = 0xe8;
const GROUP_5 = 0xff;
const LONGEST_INDIRECT = 7;

/**
 * Whether the bytes before `address` end in a CALL: E8 with a 32-bit or 16-bit displacement, or
 * FF /2 or FF /3 with its addressing form (APM volume 3, CALL). Prefixes do not matter.
 */
export function isBehindCall(memory: StackMemory, address: bigint): boolean {
  const byte = (back: number): number | undefined => memory.read(address - BigInt(back), 1)?.[0];
  if (byte(5) === CALL_RELATIVE || byte(3) === CALL_RELATIVE) return true;
  for (let length = 2; length <= LONGEST_INDIRECT; length++) {
    if (byte(length) !== GROUP_5) continue;
    const modrm = byte(length - 1);
    if (modrm === undefined) continue;
    const operation = (modrm >> 3) & 7;
    if (operation !== 2 && operation !== 3) continue;
    if (indirectLengths(modrm, byte(length - 2)).includes(length)) return true;
  }
  return false;
}

/** Opcode, ModRM, SIB and displacement, in 32-bit and 64-bit addressing, or in 16-bit. */
function indirectLengths(modrm: number, sib: number | undefined): number[] {
  const [mode, base] = [modrm >> 6, modrm & 7];
  if (mode === 3) return [2];
  const hasSib = base === 4;
  const displacement =
    mode === 1 ? 1 : mode === 2 || base === 5 || (hasSib && ((sib ?? 0) & 7) === 5) ? 4 : 0;
  const wide = 2 + (hasSib ? 1 : 0) + displacement;
  const narrow = 2 + (mode === 1 ? 1 : mode === 2 || base === 6 ? 2 : 0);
  return [wide, narrow];
}
