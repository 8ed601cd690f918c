/** 256-bit vector registers of the local APIC (IRR, ISR, TMR) as eight 32-bit words. */

export const emptyVectors = () => new Array<number>(8).fill(0);

export function setVector(words: number[], vector: number, on: boolean): void {
  const index = vector >> 5;
  const bit = 1 << (vector & 31);
  words[index] = on ? words[index]! | bit : words[index]! & ~bit;
}

export function hasVector(words: readonly number[], vector: number): boolean {
  return (words[vector >> 5]! & (1 << (vector & 31))) !== 0;
}

/** The highest vector that is set, or -1. */
export function highestVector(words: readonly number[]): number {
  for (let index = 7; index >= 0; index--) {
    const word = words[index]!;
    if (word !== 0) return index * 32 + 31 - Math.clz32(word);
  }
  return -1;
}

/** Every vector that is set, ascending: "0x30 0xef"; "none". */
export function describeVectors(words: readonly number[]): string {
  const vectors: string[] = [];
  for (let vector = 0; vector < 256; vector++) {
    if (hasVector(words, vector)) vectors.push(`0x${vector.toString(16)}`);
  }
  return vectors.length === 0 ? "none" : vectors.join(" ");
}

/** The numbers of the bits that are set, after a prefix: "IRQ 0 4"; "none". */
export function describeLines(mask: number, first: number): string {
  const lines = Array.from({ length: 8 }, (_, n) => n).filter((n) => (mask >> n) & 1);
  return lines.length === 0 ? "none" : `IRQ ${lines.map((n) => first + n).join(" ")}`;
}
