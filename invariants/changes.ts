/** What of RAM changed since an earlier event: pages are copied before their first write after it. */
import { type MachineMemory, PAGE_SIZE, PageReason } from "../emulator/index.ts";
import { bytesValue } from "./bytes-value.ts";
import { type Result, Unknown } from "./evaluate/value.ts";
import type { EventName } from "./language/syntax.ts";
import { CHANGE, type ChangeFacts } from "./model/change.ts";

/** RAM at one instant: by page number, the pages that were written since as they were then. */
export type Baseline = Map<number, Uint8Array>;
type SavedBaseline = ReadonlyMap<number, Uint8Array>;

/** What goes back in time with the machine, but for the baselines of open calls. */
export type ChangesState = ReadonlyMap<EventName, SavedBaseline>;

const WORD = 8;
const MOST_CHANGES = 1 << 18;
/** Nothing is the same nothing each time, so that it is seen to be unchanged. */
const NONE: Result = { kind: "list", elements: [] };

/** Its owner tells it of each firstWrite event. */
export class Changes {
  private readonly memory: MachineMemory;
  /** Those to which pages are added. */
  private readonly open = new Set<Baseline>();
  /** By the event at which they began. */
  private readonly since = new Map<EventName, Baseline>();
  /** Of the call whose return is judged. */
  private ofCall: Baseline | undefined;
  /** Pages whose next write need not be told: they were written since they were marked. */
  private readonly written = new Set<number>();
  private isTold = false;

  constructor(memory: MachineMemory) {
    this.memory = memory;
  }

  /** RAM as it is now. */
  begin(): Baseline {
    return this.add(new Map());
  }

  end(baseline: Baseline): void {
    this.open.delete(baseline);
  }

  /** A saved baseline, of the instant to which the machine went back. */
  again(saved: SavedBaseline): Baseline {
    return this.add(new Map(saved));
  }

  /** For the event that looks back at this one. */
  keep(event: EventName): void {
    this.put(event, new Map());
  }

  /** For return: of its own call, however calls nest. */
  giveCall(baseline: Baseline | undefined): void {
    this.ofCall = baseline;
  }

  firstWrite(page: number): void {
    this.written.add(page);
    for (const baseline of this.open) {
      if (!baseline.has(page)) {
        baseline.set(page, this.memory.peek(page * PAGE_SIZE, PAGE_SIZE));
      }
    }
  }

  /** Pages that are kept as they were. */
  get pages(): number {
    return [...this.open].reduce((sum, { size }) => sum + size, 0);
  }

  /** At an event, the list of what changed since the one that it looks back at. */
  at(event: EventName): Result {
    const earlier = event === "vmrun" ? "exit" : "vmrun";
    const isSwitch = event === "vmrun" || event === "exit";
    const baseline = isSwitch ? this.since.get(earlier) : this.ofCall;
    if (baseline !== undefined) return listOf(baseline, this.memory);
    if (isSwitch || event === "return") return new Unknown("RAM was not kept at the earlier event");
    return new Unknown(`${event} has no earlier event since which changes are told`);
  }

  save(): ChangesState {
    return new Map(Array.from(this.since, ([event, baseline]) => [event, new Map(baseline)]));
  }

  /** Those of calls are given anew by their owner. */
  restore(saved: ChangesState): void {
    this.open.clear();
    this.since.clear();
    for (const [event, baseline] of saved) this.put(event, new Map(baseline));
  }

  private put(event: EventName, baseline: Baseline): void {
    const before = this.since.get(event);
    if (before !== undefined) this.end(before);
    this.since.set(event, this.add(baseline));
  }

  private add(baseline: Baseline): Baseline {
    if (!this.isTold) this.memory.addReasonToAll(PageReason.clean);
    this.isTold = true;
    for (const page of this.written) this.memory.addReason(page * PAGE_SIZE, PageReason.clean);
    this.written.clear();
    this.open.add(baseline);
    return baseline;
  }
}

function listOf(baseline: Baseline, memory: MachineMemory): Result {
  const changes: ChangeFacts[] = [];
  for (const page of [...baseline.keys()].sort((a, b) => a - b)) {
    const before = baseline.get(page) as Uint8Array;
    const after = memory.peek(page * PAGE_SIZE, PAGE_SIZE);
    for (let word = 0; word < before.length; word += WORD) {
      const change = changeOf(page * PAGE_SIZE, word, before, after);
      if (change !== undefined) changes.push(change);
    }
    if (changes.length > MOST_CHANGES)
      return new Unknown(`over ${MOST_CHANGES} words have changed`);
  }
  return changes.length === 0 ? NONE : { kind: "list", elements: changes.map(CHANGE.make) };
}

/** From the first byte that differs to the last one. */
function changeOf(
  page: number,
  word: number,
  before: Uint8Array,
  after: Uint8Array,
): ChangeFacts | undefined {
  let [first, end] = [word, word + WORD];
  while (first < end && before[first] === after[first]) first++;
  if (first === end) return undefined;
  while (before[end - 1] === after[end - 1]) end--;
  return {
    first: page + first,
    bytes: end - first,
    before: bytesValue(before.subarray(first, end)),
    after: bytesValue(after.subarray(first, end)),
  };
}
