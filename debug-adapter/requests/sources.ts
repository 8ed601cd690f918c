/** Requests for source files and the programs that they belong to. */
import { type Context, loadedIn } from "../context.ts";
import type { Image, ImageChange } from "../images.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { hex, UserError } from "../text.ts";
import { sourceOf } from "./stack.ts";
import type { Handlers } from "./types.ts";

/** What a module has beyond the protocol's own columns. */
export const MODULE_COLUMNS: DP.ColumnDescriptor[] = [
  { attributeName: "world", label: "World", type: "string" },
  { attributeName: "slide", label: "Slide", type: "string" },
  { attributeName: "buildId", label: "Build id", type: "string" },
];

type Module = DP.Module & { world: string; slide: string; buildId?: string };

function moduleOf({ name, path, world, symbols, ranges, slide }: Image): Module {
  const [problem] = symbols.problems;
  const status = symbols.hasDebugInfo ? "Debug information" : "Symbols only";
  return {
    id: path,
    name,
    path,
    world,
    slide: slide === undefined ? "not known yet" : hex(slide),
    ...(symbols.buildId === undefined ? {} : { buildId: symbols.buildId }),
    symbolStatus: problem === undefined ? status : `${status}; ${problem}`,
    symbolFilePath: path,
    addressRange: ranges.map(({ start, end }) => `${hex(start)}-${hex(end)}`).join(", "),
  };
}

/** Sources that are files: compilers call what they make up themselves "<built-in>". */
function filesOf(image: Image): string[] {
  const paths = new Set(image.clientPaths.values());
  return [...paths].filter((path) => !/(^|[\\/])<[^\\/]*>$/.test(path));
}

/** Larger lists of sources come without: reading them all would take too long. */
const MOST_CHECKSUMS = 500;

/** The source with the SHA-256 of its file, by which a client tells whether its copy is the same. */
async function withChecksum(context: Context, path: string): Promise<DP.Source> {
  const source = sourceOf(path);
  const { files } = context.services;
  if (!(await files.exists(path))) return source;
  const checksum = await context.services.sha256(await files.read(path));
  return { ...source, checksums: [{ algorithm: "SHA256", checksum }] };
}

/** Tells the client of a program that came, went or is known to run elsewhere. */
export function tellImageChange(context: Context, { kind, image }: ImageChange): void {
  const reason = ({ added: "new", removed: "removed", moved: "changed" } as const)[kind];
  context.emit("module", { reason, module: moduleOf(image) });
  if (kind === "moved") return;
  for (const path of filesOf(image)) {
    context.emit("loadedSource", {
      reason: kind === "added" ? "new" : "removed",
      source: sourceOf(path),
    });
  }
}

export const sourceRequests: Handlers<"source" | "loadedSources" | "modules"> = {
  source: async (context, args) => {
    const path = args.source?.path;
    if (path === undefined) {
      throw new UserError("No source has this reference: sources are files with a path.");
    }
    const { images } = loadedIn(context).debuggee;
    if (!images.all.some((image) => filesOf(image).includes(path))) {
      throw new UserError(`${path} is not a source of any loaded image.`);
    }
    const bytes = await context.services.files.read(path);
    return { content: new TextDecoder().decode(bytes) };
  },

  loadedSources: async (context) => {
    const { debuggee } = loadedIn(context);
    const all = new Set(debuggee.images.all.flatMap(filesOf));
    const paths = [...all].sort();
    if (paths.length > MOST_CHECKSUMS) return { sources: paths.map(sourceOf) };
    return { sources: await Promise.all(paths.map((path) => withChecksum(context, path))) };
  },

  modules: (context, args) => {
    const { debuggee } = loadedIn(context);
    const all = debuggee.images.all.map(moduleOf);
    const start = args.startModule ?? 0;
    const end = args.moduleCount ? start + args.moduleCount : all.length;
    return { modules: all.slice(start, end), totalModules: all.length };
  },
};
