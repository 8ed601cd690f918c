/** The programs with symbols in the machine, and where their sources are for the client. */
import type { World } from "./register-file.ts";
import type { FileReader } from "./services.ts";
import { readElf } from "./symbols/elf.ts";
import type { ImageSymbols } from "./symbols/image-symbols.ts";
import { ProgramSymbols } from "./symbols/program.ts";
import type { SourceLocation } from "./symbols/source-index.ts";
import { normalizePath } from "./symbols/source-path.ts";

export interface Image {
  readonly name: string;
  readonly path: string;
  readonly world: World;
  readonly symbols: ImageSymbols;
  /** Where it is loaded: linear addresses as linked. */
  readonly ranges: readonly { readonly start: bigint; readonly end: bigint }[];
  /** The client's path of each source file that the debug information names. */
  readonly clientPaths: ReadonlyMap<string, string>;
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

export class Images {
  readonly all: readonly Image[];

  constructor(all: readonly Image[]) {
    this.all = all;
  }

  /** The image that has the linear address in that world. */
  at(world: World, address: bigint): Image | undefined {
    return this.all.find(
      (image) =>
        image.world === world &&
        image.ranges.some(({ start, end }) => start <= address && address < end),
    );
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
  return { ...location, path: image.clientPaths.get(location.path) ?? location.path };
}

/** Reads an image's symbols. Throws a FormatError of one sentence for what is no usable ELF file. */
export async function readImage(
  file: ImageFile,
  sources: SourceOptions,
  files: FileReader,
): Promise<Image> {
  const symbols = new ProgramSymbols(file.bytes, file.path);
  const elf = readElf(file.bytes, file.path);
  const ranges = elf.segments
    .filter((segment) => segment.type === PT_LOAD)
    .map(({ virtualAddress, memorySize }) => ({
      start: virtualAddress,
      end: virtualAddress + memorySize,
    }));
  const clientPaths = new Map<string, string>();
  for (const path of symbols.sourceFiles()) {
    clientPaths.set(path, await clientPath(path, file.path, sources, files));
  }
  const name = file.path.split(/[\\/]/).at(-1) ?? file.path;
  return { name, path: file.path, world: file.world, symbols, ranges, clientPaths };
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
  const prefixes = [...sourceMap.keys()].sort((a, b) => b.length - a.length);
  for (const prefix of prefixes) {
    const from = normalizePath(prefix);
    const isPrefix = from === "" || path === from || path.startsWith(`${from}/`);
    if (!isPrefix) continue;
    const rest = from === "" ? path : path.slice(from.length + 1);
    return files.resolve(`${sourceMap.get(prefix)}/${rest}`, cwd);
  }
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
