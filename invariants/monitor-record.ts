/** What checked invariants remember, as plain data for a recording and back. */
import { sha256 } from "../emulator/index.ts";
import type { AddressRange } from "./address-range.ts";
import type { CallsState, OpenCall } from "./calls.ts";
import { type Result, Unknown } from "./evaluate/value.ts";
import type { EventName } from "./language/syntax.ts";
import type { MonitorState } from "./monitor.ts";
import { type Table, type TablePlace, tableOf } from "./table-cache.ts";
import { type FormatChoice, tableFormat } from "./table-format.ts";
import type { TlbState } from "./tlb-history.ts";
import type { OldResults, TrackState } from "./tracked.ts";

/** Another one wherever the plain data means something else. */
export const STATE_VERSION = "7";

/** A value that a recording cannot hold: a record of the machine's, or a C object. */
class NotPlain extends Error {}

type PlainResult =
  | bigint
  | boolean
  | { readonly kind: "unknown"; readonly reason: string }
  | { readonly kind: "list"; readonly elements: readonly PlainResult[] }
  | Extract<Result, { kind: "range" }>;
type PlainResults = readonly PlainResult[];

type PlainPlace = Pick<Table, "level" | "address"> & { readonly format: FormatChoice };

/** Tables of one ASID as it last ran with them. */
interface PlainUse {
  readonly asid: number;
  readonly vmcb: number;
  readonly isStale: boolean;
  readonly isShared: boolean;
  readonly cr3: bigint;
  readonly format: FormatChoice;
  readonly tables: readonly (Pick<Table, "level" | "address"> & { readonly words: Uint8Array })[];
}

type PlainTrack = Omit<TrackState, "old"> & {
  readonly old: readonly (readonly [EventName, PlainResults])[];
};
/** By page number, its bytes. */
type PlainBaseline = readonly (readonly [number, Uint8Array])[];
type PlainCall = Omit<OpenCall, "old" | "baseline"> & {
  readonly old: readonly (readonly [string, PlainResults])[];
  readonly baseline: PlainBaseline | undefined;
};

/** What is more than plain data in the state stands in its own words; an identity, as its digest. */
type PlainState = Omit<MonitorState, "tracks" | "views" | "calls" | "changes" | "writes"> & {
  readonly tracks: readonly (readonly [string, PlainTrack])[];
  readonly views: Omit<MonitorState["views"], "tlb" | "tables"> & {
    readonly tlb: readonly PlainUse[];
    readonly tables: readonly PlainPlace[];
  };
  readonly calls: Omit<CallsState, "open"> & { readonly open: readonly PlainCall[] };
  readonly changes: readonly (readonly [EventName, PlainBaseline])[];
  readonly writes: readonly (readonly [string, readonly AddressRange[]])[];
};

/**
 * Undefined where it is more than plain data, and where an invariant was not checked from reset on: a
 * run from there to here would give another state.
 */
export function recordMonitor({
  tracks,
  views,
  calls,
  changes,
  writes,
  ...rest
}: MonitorState): PlainState | undefined {
  if (![...tracks.values()].every(({ isWhole }) => isWhole)) return undefined;
  try {
    return {
      ...rest,
      tracks: Array.from(tracks, ([identity, track]) => [
        digestOf(identity),
        { ...track, old: plainOld(track.old) },
      ]),
      views: { ...views, tlb: plainTlb(views.tlb), tables: views.tables.map(plainPlace) },
      calls: {
        ...calls,
        open: calls.open.map(({ old, baseline, ...call }) => ({
          ...call,
          baseline: baseline && [...baseline],
          old: plainOld(old).map(([identity, results]) => [digestOf(identity), results]),
        })),
      },
      changes: Array.from(changes, ([event, baseline]) => [event, [...baseline]]),
      writes: [...writes],
    };
  } catch (caught) {
    if (caught instanceof NotPlain) return undefined;
    throw caught;
  }
}

/** Undefined where other invariants were checked than those of these identities. */
export function recallMonitor(
  plain: unknown,
  identities: readonly string[],
): MonitorState | undefined {
  const { tracks, views, calls, changes, writes, ...rest } = plain as PlainState;
  const known = new Map(identities.map((identity) => [digestOf(identity), identity]));
  const identityOf = (digest: string): string => known.get(digest) ?? "";
  const isSame = tracks.length === known.size && tracks.every(([digest]) => known.has(digest));
  if (!isSame) return undefined;
  return {
    ...rest,
    tracks: new Map(
      tracks.map(([digest, track]) => [identityOf(digest), { ...track, old: oldOf(track.old) }]),
    ),
    views: { ...views, tlb: tlbOf(views.tlb), tables: views.tables.map(placeOf) },
    calls: {
      ...calls,
      open: calls.open.map(({ old, baseline, ...call }) => ({
        ...call,
        baseline: baseline && new Map(baseline),
        old: oldOf(old.map(([digest, results]) => [identityOf(digest), results])),
      })),
    },
    changes: new Map(changes.map(([event, baseline]) => [event, new Map(baseline)])),
    writes: new Map(writes),
  };
}

const digestOf = (identity: string): string => sha256(new TextEncoder().encode(identity));

function plainOld<Key>(old: ReadonlyMap<Key, OldResults>): (readonly [Key, PlainResults])[] {
  return Array.from(old, ([key, results]) => [key, results.map(plainResult)]);
}

function oldOf<Key>(plain: readonly (readonly [Key, PlainResults])[]): Map<Key, OldResults> {
  return new Map(plain.map(([key, results]) => [key, results.map(resultOf)]));
}

function plainResult(result: Result): PlainResult {
  if (typeof result !== "object") return result;
  if (result instanceof Unknown) return { kind: "unknown", reason: result.reason };
  if (result.kind === "range") return result;
  if (result.kind === "list") return { kind: "list", elements: result.elements.map(plainResult) };
  throw new NotPlain();
}

function resultOf(plain: PlainResult): Result {
  if (typeof plain !== "object" || plain.kind === "range") return plain;
  if (plain.kind === "unknown") return new Unknown(plain.reason);
  return { kind: "list", elements: plain.elements.map(resultOf) };
}

const plainFormat = ({
  mode,
  pageSizeExtensions,
  noExecuteEnabled,
}: FormatChoice): FormatChoice => ({ mode, pageSizeExtensions, noExecuteEnabled });

const plainPlace = ({ format, level, address }: TablePlace): PlainPlace => ({
  ...{ level, address, format: plainFormat(format) },
});

const placeOf = ({ format, level, address }: PlainPlace): TablePlace => ({
  ...{ level, address, format: tableFormat(format) },
});

function plainTlb(uses: TlbState): PlainUse[] {
  return Array.from(uses, ([asid, { walk, ...use }]) => ({
    ...{ asid, ...use, cr3: walk.cr3, format: plainFormat(walk.format) },
    tables: walk.visits.map(({ table: { level, address, words } }) => ({
      ...{ level, address },
      words: new Uint8Array(words.buffer, words.byteOffset, words.byteLength),
    })),
  }));
}

function tlbOf(uses: readonly PlainUse[]): TlbState {
  return new Map(
    uses.map(({ asid, cr3, format: choice, tables, ...use }) => {
      const format = tableFormat(choice);
      const visits = tables.map(({ level, address, words }) => ({
        table: tableOf({ format, level, address }, new Int32Array(words.slice().buffer)),
      }));
      return [asid, { walk: { cr3, format, visits }, ...use }];
    }),
  );
}
