/** Where images run: found again after they moved; their code and build recognised in memory. */
import { expect, test } from "vitest";
import { Debuggee } from "../../../debug-adapter/debuggee.ts";
import { ImageLocator } from "../../../debug-adapter/images/image-locator.ts";
import { ImagePresence } from "../../../debug-adapter/images/image-presence.ts";
import { Image, Images } from "../../../debug-adapter/images.ts";
import { readLaunchArguments } from "../../../debug-adapter/launch-arguments.ts";
import { Machine } from "../../../emulator/index.ts";
import { findBuildIdNote } from "../../../symbols/build-id-note.ts";
import { ProgramSymbols } from "../../../symbols/program.ts";
import { build, compile, run } from "../../symbols/toolchain.ts";

const LOADED = 0x10_0000;
const LINKED = 0xc010_0000n;
const FLAT = { selector: 8, base: 0, limit: 0xffff_ffff };
/** NOPs of several lengths, each place different, and a jump to itself. */
const CODE = Uint8Array.from({ length: 256 }, (_, i) => (i % 2 === 0 ? 0xb0 + (i % 8) : i));

const program = compile(build(32, 4, "-O2"));
const symbols = new ProgramSymbols(program.bytes, program.path);

function imageOf(world: "host" | "guest", code = CODE, more: object = {}): Image {
  return new Image({
    name: "image.elf",
    path: "/image.elf",
    world,
    symbols,
    clientPaths: new Map(),
    slide: 0n,
    segments: [
      {
        virtual: LINKED,
        physical: BigInt(LOADED),
        size: BigInt(code.length),
        isExecutable: true,
        bytes: code,
      },
    ],
    ...more,
  });
}

function debuggeeOf(image: Image, written: { address: number; bytes: Uint8Array }[]): Debuggee {
  const machine = new Machine({ ramBytes: 4 << 20 });
  machine.load({
    kind: "multiboot",
    name: "bytes",
    writes: written.map((each) => ({ ...each, what: "code" })),
    entry: {
      mode: "protected",
      eip: written[0]?.address ?? 0,
      registers: {},
      cs: { ...FLAT, attributes: 0xc9b },
      data: { ...FLAT, selector: 16, attributes: 0xc93 },
      gdtr: { base: 0, limit: 0 },
    },
    firmware: false,
  });
  return new Debuggee(machine, new Images([image]), readLaunchArguments({ kernel: "bytes" }));
}

test("an image linked high runs where the loader put it, before paging", () => {
  const image = imageOf("host");
  const debuggee = debuggeeOf(image, [{ address: LOADED, bytes: CODE }]);
  const moves: string[] = [];
  debuggee.images.onChanged(({ kind }) => moves.push(kind));
  const locator = new ImageLocator(debuggee);
  expect(debuggee.images.at("host", BigInt(LOADED))).toBeUndefined();
  locator.look();
  locator.look();
  expect(moves).toEqual(["moved"]);
  expect(image.slide).toBe(BigInt.asUintN(64, BigInt(LOADED) - LINKED));
  expect(debuggee.images.at("host", BigInt(LOADED) + 17n)).toBe(image);
});

test("an image that copied itself is found by its bytes, if they are at one place only", () => {
  const copy = 0x20_3000;
  const image = imageOf("host");
  const debuggee = debuggeeOf(image, [{ address: copy + 64, bytes: CODE.subarray(64) }]);
  new ImageLocator(debuggee).look();
  expect(image.slide).toBe(BigInt.asUintN(64, BigInt(copy) - LINKED));
  const page = new Uint8Array(4096);
  page.set(CODE);
  const twice = imageOf("host", Uint8Array.from([...page, ...page]));
  const other = debuggeeOf(twice, [{ address: copy + 64, bytes: CODE.subarray(64) }]);
  new ImageLocator(other).look();
  expect(twice.slide).toBe(0n);
});

test("presence: bytes that agree for the most part, as of code that patches itself", () => {
  const patched = CODE.slice();
  patched.fill(0x90, 70, 80);
  const told: Image[] = [];
  for (const [bytes, expected] of [
    [CODE, true],
    [patched, true],
    [CODE.map((byte) => byte ^ 0x55), false],
  ] as const) {
    const image = imageOf("host", CODE, { slide: BigInt(LOADED + 0x1000) - LINKED });
    const debuggee = debuggeeOf(image, [{ address: LOADED + 0x1000, bytes }]);
    const presence = new ImagePresence(debuggee, (each) => told.push(each));
    expect(presence.of(image).kind).toBe("awaited");
    expect(presence.holds(image, BigInt(LOADED + 0x1000 + 64))).toBe(expected);
    expect(presence.of(image).kind).toBe(expected ? "present" : "awaited");
    expect(told.pop()).toBe(image);
  }
});

test("a build id in memory that is not the file's is another build, and nothing hits", () => {
  const notes = Uint8Array.from(
    run("readelf", ["-x", ".note.gnu.build-id", program.path])
      .split("\n")
      .flatMap((line) => /^ {2}0x[0-9a-f]+ ((?:[0-9a-f]+ ){1,4})/.exec(line)?.[1] ?? [])
      .join("")
      .replaceAll(" ", "")
      .match(/../g) ?? [],
    (byte) => Number.parseInt(byte, 16),
  );
  const found = findBuildIdNote(notes);
  expect(found).toEqual({ offset: 0, size: notes.length });
  const code = Uint8Array.from([...CODE, ...notes]);
  const buildIdNote = { address: LINKED + BigInt(CODE.length), size: notes.length };
  const slide = BigInt(LOADED + 0x1000) - LINKED;
  for (const change of [0, 1]) {
    const image = imageOf("host", CODE, { slide, buildIdNote });
    const bytes = code.slice();
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ change;
    const debuggee = debuggeeOf(image, [{ address: LOADED + 0x1000, bytes }]);
    const presence = new ImagePresence(debuggee, () => {});
    presence.look();
    const state = presence.of(image);
    expect(state.kind).toBe(change ? "otherBuild" : "present");
    expect(presence.holds(image, BigInt(LOADED + 0x1000))).toBe(change === 0);
    if (state.kind !== "otherBuild") continue;
    expect(state.message).toContain(symbols.buildId?.slice(0, 12));
    expect(state.message).toMatch(/^image\.elf is another build than what runs/);
  }
});
