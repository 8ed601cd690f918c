/** The programs with symbols in the machine, and where their sources are for the client. */

import { findBuildIdNote } from "../symbols/build-id-note.ts";
import { type Elf, readElf } from "../symbols/elf.ts";
import type { ImageSymbols } from "../symbols/image-symbols.ts";
import { isLinuxKernel } from "../symbols/linux/kernel-file.ts";
import type { KernelPart } from "../symbols/linux/kernel-parts.ts";
import { isSystemMap, readSystemMap } from "../symbols/linux/system-map.ts";
import { movedBy } from "../symbols/moved-symbols.ts";
import { ProgramSymbols } from "../symbols/program.ts";
import type { SourceLocation } from "../symbols/source-index.ts";
import { mappedPath, normalizePath } from "../symbols/source-path.ts";
import type { World } from "./register-file.ts";
import type { FileReader } from "./services.ts";

/** A part of a program that is loaded, as linked. */
export interface ImageSegment {
  readonly virtual: bigint;
  readonly physical: bigint;
  readonly size: bigint;
  readonly isExecutable: boolean;
  /** What the file holds of it: the rest is zeroes. */
  readonly bytes: Uint8Array;
}

export interface ImageParts {
  readonly name: string;
  readonly path: string;
  readonly world: World;
  /** In link addresses. */
  readonly symbols: ImageSymbols;
  readonly segments: readonly ImageSegment[];
  /** The client's path of each source file that the debug information names. */
  readonly clientPaths: ReadonlyMap<string, string>;
  /** Run address minus link address; undefined while it is not known. */
  readonly slide: bigint | undefined;
  /** Link address of the note with the build id, if it is loaded with the program. */
  readonly buildIdNote?: { readonly address: bigint; readonly size: number } | undefined;
}

/** A program in the machine. Its addresses are those at which it runs. */
export class Image {
  readonly parts: ImageParts;
  private movedBy: bigint | undefined;
  private moved: ImageSymbols;

  constructor(parts: ImageParts) {
    this.parts = parts;
    this.movedBy = parts.slide;
    this.moved = movedBy(parts.symbols, parts.slide ?? 0n);
  }

  get name(): string {
    return this.parts.name;
  }

  get path(): string {
    return this.parts.path;
  }

  get world(): World {
    return this.parts.world;
  }

  get clientPaths(): ReadonlyMap<string, string> {
    return this.parts.clientPaths;
  }

  /** The client's path of a file that the debug information names. */
  clientPathOf(path: string): string {
    return this.parts.clientPaths.get(path) ?? path;
  }

  /** Run address minus link address; undefined while it is not known. */
  get slide(): bigint | undefined {
    return this.movedBy;
  }

  /** Answers in run addresses; in link addresses while the slide is not known. */
  get symbols(): ImageSymbols {
    return this.moved;
  }

  /** Where it runs; nowhere while the slide is not known. */
  get ranges(): { readonly start: bigint; readonly end: bigint }[] {
    const { slide } = this;
    if (slide === undefined) return [];
    return this.parts.segments.map(({ virtual, size }) => {
      const start = BigInt.asUintN(64, virtual + slide);
      return { start, end: start + size };
    });
  }

  has(address: bigint): boolean {
    const { slide } = this;
    if (slide === undefined) return false;
    const linked = BigInt.asUintN(64, address - slide);
    return this.parts.segments.some(
      ({ virtual, size }) => virtual <= linked && linked < virtual + size,
    );
  }

  /** Only for Images, which tells its listeners. */
  move(slide: bigint | undefined): void {
    this.movedBy = slide;
    this.moved = movedBy(this.parts.symbols, slide ?? 0n);
  }
}

export interface ImageChange {
  readonly kind: "added" | "removed" | "moved";
  readonly image: Image;
}

export interface ImageFile {
  /** Absolute. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly world: World;
}

export interface SourceOptions {
  readonly sourceMap: ReadonlyMap<string, string>;
  readonly cwd: string | undefined;
}

const PT_LOAD = 1;
const PT_NOTE = 4;
const PF_X = 1;

export class Images {
  private images: readonly Image[];
  private readonly listeners = new Set<(change: ImageChange) => void>();

  constructor(all: readonly Image[]) {
    this.images = all;
  }

  get all(): readonly Image[] {
    return this.images;
  }

  /** The images that were there at first, where they were at first, for another run. */
  fresh(): Images {
    return new Images(this.images.map((image) => new Image(image.parts)));
  }

  add(image: Image): void {
    this.images = [...this.images, image];
    this.tell({ kind: "added", image });
  }

  remove(image: Image): void {
    if (!this.images.includes(image)) return;
    this.images = this.images.filter((each) => each !== image);
    this.tell({ kind: "removed", image });
  }

  /** The image runs `slide` bytes above its link addresses; undefined: nobody knows where. */
  move(image: Image, slide: bigint | undefined): void {
    if (image.slide === slide) return;
    image.move(slide);
    this.tell({ kind: "moved", image });
  }

  /** Told after each change; returns what ends it. */
  onChanged(listener: (change: ImageChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private tell(change: ImageChange): void {
    for (const listener of [...this.listeners]) listener(change);
  }

  /** The image that has the linear address in that world. */
  at(world: World, address: bigint): Image | undefined {
    return this.images.find((image) => image.world === world && image.has(address));
  }

  /** "handle_npf" or "handle_npf+0x12"; undefined where no image names the address. */
  nameOf(world: World, address: bigint): string | undefined {
    const hit = this.at(world, address)?.symbols.functionAt(address);
    if (hit === undefined) return undefined;
    return hit.offset === 0n ? hit.name : `${hit.name}+0x${hit.offset.toString(16)}`;
  }

  /** The source line of an address in the client's paths. */
  sourceAt(world: World, address: bigint): SourceLocation | undefined {
    const image = this.at(world, address);
    const location = image?.symbols.sourceAt(address);
    return image && location && clientLocation(image, location);
  }

  /** Images that know the client's file, with its name in their debug information. */
  withSource(clientPath: string): { image: Image; file: string }[] {
    const wanted = normalizePath(clientPath);
    return this.all.flatMap((image) => {
      const mapped = [...image.clientPaths].find(([, path]) => normalizePath(path) === wanted);
      const file = mapped?.[0] ?? image.symbols.fileFor(wanted);
      return file === undefined ? [] : [{ image, file }];
    });
  }
}

export function clientLocation(image: Image, location: SourceLocation): SourceLocation {
  return { ...location, path: image.clientPathOf(location.path) };
}

/** Reads an image's symbols. Throws a FormatError of one sentence for what is no usable ELF file. */
export async function readImage(
  file: ImageFile,
  sources: SourceOptions,
  files: FileReader,
): Promise<Image> {
  const { path, world } = file;
  const name = path.split(/[\\/]/).at(-1) ?? path;
  if (isSystemMap(file.bytes)) {
    const { symbols, parts } = readSystemMap(file.bytes, path);
    const segments = kernelSegments(parts);
    return new Image({
      name,
      path,
      world,
      symbols,
      segments,
      clientPaths: new Map(),
      slide: undefined,
    });
  }
  const symbols = new ProgramSymbols(file.bytes, path);
  const elf = readElf(file.bytes, file.path);
  const segments = elf.segments
    .filter((segment) => segment.type === PT_LOAD)
    .map((segment) => ({
      virtual: segment.virtualAddress,
      physical: segment.physicalAddress,
      size: segment.memorySize,
      isExecutable: (segment.flags & PF_X) !== 0,
      bytes: file.bytes.subarray(segment.offset, segment.offset + segment.fileSize),
    }));
  const clientPaths = new Map<string, string>();
  for (const path of symbols.sourceFiles()) {
    clientPaths.set(path, await clientPath(path, file.path, sources, files));
  }
  const buildIdNote = buildIdNoteOf(elf);
  const slide = isLinuxKernel(symbols) ? undefined : 0n;
  return new Image({ name, path, world, symbols, segments, clientPaths, buildIdNote, slide });
}

/** A kernel known by its symbols alone: it patches its code, so its bytes are compared with nothing. */
export function kernelSegments(parts: readonly KernelPart[]): ImageSegment[] {
  const bytes = new Uint8Array(0);
  return parts.map(({ start, end, isExecutable }) => {
    return { virtual: start, physical: 0n, size: end - start, isExecutable, bytes };
  });
}

function buildIdNoteOf({ segments, bytes }: Elf): ImageParts["buildIdNote"] {
  for (const { type, offset, fileSize, virtualAddress } of segments) {
    if (type !== PT_NOTE) continue;
    const found = findBuildIdNote(bytes.subarray(offset, offset + fileSize));
    if (found) return { address: virtualAddress + BigInt(found.offset), size: found.size };
  }
  return undefined;
}

/**
 * By the source map's longest prefix; else, for a relative path, under cwd or the nearest directory
 * above the image in which it exists.
 */
async function clientPath(
  path: string,
  imagePath: string,
  { sourceMap, cwd }: SourceOptions,
  files: FileReader,
): Promise<string> {
  const mapped = mappedPath(path, sourceMap);
  if (mapped !== undefined) return files.resolve(mapped, cwd);
  if (path.startsWith("/") || /^[A-Za-z]:/.test(path)) return path;
  const first = files.resolve(path, cwd);
  if (await files.exists(first)) return first;
  const above = imagePath.split(/[\\/]/).slice(0, -1);
  for (; above.length > 0; above.pop()) {
    const candidate = files.resolve(path, above.join("/") || "/");
    if (await files.exists(candidate)) return candidate;
  }
  return first;
}
