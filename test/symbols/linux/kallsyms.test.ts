// Tables of symbols laid out as each range of kernel versions has them, made at random and found in noise.

import { describe, expect, test } from "vitest";
import { findKallsyms } from "../../../symbols/linux/kallsyms.ts";
import { KernelBytes } from "../../../symbols/linux/kernel-bytes.ts";
import { type RandomBelow, randomBelow, testSeed } from "../../harness/random.ts";

const START = 0xffffffff_9aa00000n;

/** What differs between versions; see scripts/kallsyms.c of each. */
interface Layout {
  readonly addresses: "before" | "behind" | "whole";
  readonly perCpu: "absolute" | "none";
  readonly longs: boolean;
  readonly longNames: boolean;
  readonly seqs: "none" | "between" | "last";
}

const LAYOUTS: Readonly<Record<string, Layout>> = {
  "4.4": { addresses: "whole", perCpu: "absolute", longs: true, longNames: false, seqs: "none" },
  "4.19": { addresses: "before", perCpu: "absolute", longs: true, longNames: false, seqs: "none" },
  "5.10": { addresses: "before", perCpu: "absolute", longs: false, longNames: false, seqs: "none" },
  "6.1": { addresses: "before", perCpu: "absolute", longs: false, longNames: true, seqs: "none" },
  "6.2": {
    addresses: "before",
    perCpu: "absolute",
    longs: false,
    longNames: true,
    seqs: "between",
  },
  "6.4": { addresses: "behind", perCpu: "absolute", longs: false, longNames: true, seqs: "last" },
  "6.15": { addresses: "behind", perCpu: "none", longs: false, longNames: true, seqs: "last" },
};

interface Entry {
  readonly address: bigint;
  readonly text: string;
}

const LETTERS = "abcdefghijklmnopqrstuvwxyz_0123456789.";

function entries(random: RandomBelow, { perCpu, longNames }: Layout): Entry[] {
  const word = (length: number) =>
    Array.from({ length }, () => LETTERS.charAt(random(LETTERS.length))).join("");
  let at = START;
  return Array.from({ length: 2100 + random(3000) }, (_, i) => {
    const isPerCpu = perCpu === "absolute" && i < 40;
    if (!isPerCpu) at += BigInt(random(900));
    const address = isPerCpu ? BigInt(i * 64) : at;
    const length = longNames && random(400) === 0 ? 150 + random(200) : 2 + random(40);
    return { address, text: `${isPerCpu ? "A" : "tTdDbBrR".charAt(random(8))}${word(length)}` };
  });
}

/** Tokens for the letters themselves, and pairs of letters for all other numbers. */
function tokensFor(random: RandomBelow): string[] {
  return Array.from({ length: 256 }, (_, i) => {
    const own = String.fromCharCode(i);
    if (/[\w.]/.test(own)) return own;
    return LETTERS.charAt(random(LETTERS.length)) + LETTERS.charAt(random(LETTERS.length));
  });
}

function compressed(text: string, tokens: readonly string[], longNames: boolean): number[] {
  const out: number[] = [];
  for (let i = 0; i < text.length; ) {
    const pair = tokens.indexOf(text.slice(i, i + 2));
    out.push(pair >= 0 && i + 1 < text.length ? pair : text.charCodeAt(i));
    i += pair >= 0 && i + 1 < text.length ? 2 : 1;
  }
  if (longNames && out.length > 127) return [(out.length & 0x7f) | 0x80, out.length >> 7, ...out];
  return [out.length, ...out];
}

class Writer {
  readonly bytes: number[] = [];
  align(to: number): this {
    while (this.bytes.length % to !== 0) this.bytes.push(0);
    return this;
  }
  put(value: bigint | number, size: number): this {
    for (let i = 0; i < size; i++)
      this.bytes.push(Number((BigInt(value) >> BigInt(8 * i)) & 0xffn));
    return this;
  }
}

function offsetOf({ address }: Entry, layout: Layout): bigint {
  if (layout.perCpu === "none") return address - START;
  return address < START ? address : BigInt.asUintN(32, START - 1n - address);
}

function putAddresses(out: Writer, list: readonly Entry[], layout: Layout): void {
  out.align(8);
  if (layout.addresses === "whole") for (const { address } of list) out.put(address, 8);
  else {
    for (const entry of list) out.put(offsetOf(entry, layout), 4);
    out.align(8).put(START, 8);
  }
}

/** The tables between random bytes. */
function encode(
  random: RandomBelow,
  list: readonly Entry[],
  layout: Layout,
): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  const tokens = tokensFor(random);
  const word = layout.longs ? 8 : 4;
  const seqs = () => {
    out.align(8);
    for (let i = 0; i < list.length * 3; i++) out.put(random(256), 1);
  };
  for (let i = random(5000); i >= 0; i--) out.put(random(256), 1);
  if (layout.addresses !== "behind") putAddresses(out, list, layout);
  out.align(8).put(list.length, word).align(8);
  const names = list.map(({ text }) => compressed(text, tokens, layout.longNames));
  const markers: number[] = [];
  names.reduce((at, name) => {
    markers.push(at);
    return at + name.length;
  }, 0);
  for (const name of names) out.bytes.push(...name);
  out.align(8);
  for (let i = 0; i < markers.length; i += 256) out.put(markers[i]!, word);
  if (layout.seqs === "between") seqs();
  out.align(8);
  for (const token of tokens) out.bytes.push(...[...token].map((c) => c.charCodeAt(0)), 0);
  out.align(8);
  tokens.reduce((at, token) => {
    out.put(at, 2);
    return at + token.length + 1;
  }, 0);
  if (layout.addresses === "behind") putAddresses(out, list, layout);
  if (layout.seqs === "last") seqs();
  for (let i = random(5000); i >= 0; i--) out.put(random(256), 1);
  return Uint8Array.from(out.bytes);
}

const seed = testSeed();

describe.each(Object.entries(LAYOUTS))(`tables of %s (seed ${seed})`, (_version, layout) => {
  const random = randomBelow(seed);
  const list = entries(random, layout);
  const bytes = encode(random, list, layout);

  test("give each symbol", () => {
    const found = findKallsyms(new KernelBytes(START, bytes));
    expect(found?.names).toEqual(list.map(({ text }) => text.slice(1)));
    expect(found?.types).toBe(list.map(({ text }) => text.charAt(0)).join(""));
    expect([...found!.addresses]).toEqual(list.map(({ address }) => address));
  });

  test("that are cut short or damaged give nothing, or no more symbols than there are", () => {
    for (let i = 0; i < 30; i++) {
      const damaged = bytes.slice(0, i % 2 === 0 ? random(bytes.length) : bytes.length);
      for (let j = random(40); j >= 0; j--) damaged[random(damaged.length)] = random(256);
      const found = findKallsyms(new KernelBytes(START, damaged));
      expect(found === undefined || found.names.length <= list.length).toBe(true);
    }
  });
});

/** Counts what is read of it piece by piece. */
class CountingBytes extends KernelBytes {
  reads = 0;

  override half(at: number): number {
    this.reads++;
    return super.half(at);
  }

  override word(at: number): number {
    this.reads++;
    return super.word(at);
  }
}

test("memory made to look like tables everywhere is given up soon", () => {
  const words = new Uint32Array(1 << 21);
  // Runs of markers that belong to no names, and a token table with its index behind each.
  for (let i = 0; i < words.length; i++) words[i] = (i % 64) * 1024;
  const bytes = new Uint8Array(words.buffer);
  for (let at = 0x1_0000; at + 0x600 < bytes.length; at += 0x1000) {
    for (let i = 0; i < 256; i++) bytes.set([0x61, 0], at + 2 * i);
    for (let i = 0; i < 256; i++) bytes.set([(2 * i) & 0xff, (2 * i) >> 8], at + 512 + 2 * i);
  }
  const memory = new CountingBytes(START, bytes);
  expect(findKallsyms(memory)).toBeUndefined();
  expect(memory.reads).toBeGreaterThan(bytes.length / 0x1000);
  expect(memory.reads).toBeLessThan(1.5 * bytes.length);
});

test(`random bytes have no symbols (seed ${seed})`, () => {
  const random = randomBelow(seed);
  const noise = Uint8Array.from({ length: 1 << 20 }, () => random(256));
  expect(findKallsyms(new KernelBytes(START, noise))).toBeUndefined();
  expect(findKallsyms(new KernelBytes(START, new Uint8Array(0)))).toBeUndefined();
});
