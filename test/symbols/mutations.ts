// Random damage to a file, each kind as it happens to real ones or as an attacker would do it.
import type { RandomBelow } from "../harness/random.ts";

export interface Region {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/** Damages `bytes` in place within the region, or gives other bytes. */
type Mutation = (bytes: Uint8Array, region: Region, random: RandomBelow) => Uint8Array | undefined;

const somewhere = ({ offset, size }: Region, random: RandomBelow) => offset + random(size);

function write(bytes: Uint8Array, at: number, values: readonly number[]): undefined {
  bytes.set(values.slice(0, Math.max(0, bytes.length - at)), at);
}

const run = (length: number, value: number): number[] => new Array<number>(length).fill(value);

const HUGE: readonly (readonly number[])[] = [
  run(4, 0xff),
  run(8, 0xff),
  [0xf0, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0x7f],
  [0, 0, 0, 0x80],
  [...run(7, 0xff), 0x7f],
];

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  "random bytes": (bytes, region, random) => {
    for (let i = 1 + random(8); i > 0; i--) bytes[somewhere(region, random)] = random(256);
    return undefined;
  },
  "flipped bits": (bytes, region, random) => {
    for (let i = 1 + random(4); i > 0; i--) {
      const at = somewhere(region, random);
      bytes[at] = bytes[at]! ^ (1 << random(8));
    }
    return undefined;
  },
  "a huge count": (bytes, region, random) =>
    write(bytes, somewhere(region, random), HUGE[random(HUGE.length)]!),
  "a reference to elsewhere in the section": (bytes, region, random) => {
    const target = random(region.size);
    const at = somewhere(region, random);
    return write(bytes, at, [target & 0xff, (target >> 8) & 0xff, target >> 16, 0]);
  },
  "a run of LEB128 bytes that go on": (bytes, region, random) =>
    write(bytes, somewhere(region, random), run(1 + random(40), random(2) ? 0xff : 0x80)),
  "a run of zeroes": (bytes, region, random) =>
    write(bytes, somewhere(region, random), run(1 + random(200), 0)),
  "a part of the section copied elsewhere in it": (bytes, region, random) => {
    const from = somewhere(region, random);
    bytes.copyWithin(somewhere(region, random), from, from + 1 + random(64));
    return undefined;
  },
  "a part taken out, the rest moved up": (bytes, region, random) => {
    const at = somewhere(region, random);
    bytes.copyWithin(at, at + 1 + random(32), region.offset + region.size);
    return undefined;
  },
  "a cut": (bytes, _, random) => bytes.slice(0, random(bytes.length)),
};
