/** The drawing of exits over time: which stretch is shown, what is stacked where, and what keys do. */
import type { ExitDensityBody } from "../../debug-adapter/protocol.ts";
import { counted } from "../counted.ts";

export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** A piece of a stack, in parts of the drawing's height from its bottom. */
export interface Bar {
  readonly reason: string;
  readonly bucket: number;
  readonly bottom: number;
  readonly top: number;
}

const EMPTY: ExitDensityBody = { from: 0, to: 0, icount: 0, endIcount: 0, reasons: [] };
const ZOOM = 2;

export class TimeAxis {
  density: ExitDensityBody = EMPTY;
  /** What was zoomed to; undefined for the whole recording, as it grows. */
  zoomed: Stretch | undefined;
  /** Where keys are, as an icount; undefined before the first key. */
  cursor: number | undefined;
  readonly hidden = new Set<string>();
  /** Reasons in the order in which they were first seen: their colours stay. */
  readonly reasons: string[] = [];

  take(density: ExitDensityBody): void {
    this.density = density;
    for (const { reason } of density.reasons)
      if (!this.reasons.includes(reason)) this.reasons.push(reason);
  }

  forget(): void {
    this.density = EMPTY;
    this.zoomed = undefined;
    this.cursor = undefined;
  }

  get isEmpty(): boolean {
    return this.density.endIcount === 0;
  }

  private get buckets(): number {
    return this.density.reasons[0]?.counts.length ?? 1;
  }

  private get length(): number {
    return this.density.to - this.density.from + 1;
  }

  /** The middle of its place, from 0 at the left to 1 at the right; outside of it where it is not shown. */
  partOf(icount: number): number {
    return (icount - this.density.from + 0.5) / this.length;
  }

  icountAt(part: number): number {
    const { from, to, endIcount } = this.density;
    const icount = from + Math.floor(part * this.length);
    return Math.min(Math.max(from, icount), to, endIcount);
  }

  bucketAt(part: number): number {
    return Math.min(Math.max(0, Math.floor(part * this.buckets)), this.buckets - 1);
  }

  private get shown(): ExitDensityBody["reasons"] {
    return this.density.reasons.filter(({ reason }) => !this.hidden.has(reason));
  }

  /** Most exits that a piece has, of the reasons shown. */
  get most(): number {
    let most = 0;
    for (let bucket = 0; bucket < this.buckets; bucket++) {
      const sum = this.shown.reduce((all, { counts }) => all + (counts[bucket] ?? 0), 0);
      most = Math.max(most, sum);
    }
    return most;
  }

  bars(): Bar[] {
    const { most, shown } = this;
    const bottoms = new Array<number>(this.buckets).fill(0);
    return shown.flatMap(({ reason, counts }) =>
      counts.flatMap((count, bucket) => {
        if (count === 0) return [];
        const bottom = bottoms[bucket] as number;
        bottoms[bucket] = bottom + count / most;
        return [{ reason, bucket, bottom, top: bottoms[bucket] as number }];
      }),
    );
  }

  /** "icount 1,000 to 1,999: 12 exits (NPF 8, IOIO 4)" */
  textAt(part: number): string {
    const bucket = this.bucketAt(part);
    const first = this.icountAt(bucket / this.buckets);
    const last = Math.max(first, this.icountAt((bucket + 1) / this.buckets) - 1);
    const found = this.shown
      .map(({ reason, counts }) => ({ reason, count: counts[bucket] ?? 0 }))
      .filter(({ count }) => count > 0);
    const sum = found.reduce((all, { count }) => all + count, 0);
    const each = found.map(({ reason, count }) => `${reason} ${counted(count)}`).join(", ");
    const exits = sum === 0 ? "no exits" : `${counted(sum)} exit${sum === 1 ? "" : "s"} (${each})`;
    return `icount ${counted(first)} to ${counted(last)}: ${exits}`;
  }

  /** Shows what lies between two parts of the drawing. */
  zoomTo(a: number, b: number): void {
    const [from, to] = [this.icountAt(Math.min(a, b)), this.icountAt(Math.max(a, b))];
    if (to > from) this.zoomed = { from, to };
  }

  /** Shows more or less around an icount, which stays where it is in the drawing. */
  zoomBy(factor: number, around: number): void {
    const { from, to, endIcount } = this.density;
    const whole = Math.max(1, endIcount);
    const length = Math.max(1, Math.round((to - from) * factor));
    if (length >= whole) {
      this.zoomed = undefined;
      return;
    }
    const start = Math.round(around - (around - from) * factor);
    const first = Math.min(Math.max(0, start), whole - length);
    this.zoomed = { from: first, to: first + length };
  }

  /** What a key makes necessary; undefined where it means nothing here. */
  key(key: string): "draw" | "ask" | "go" | undefined {
    const { from, to, icount } = this.density;
    const at = Math.min(Math.max(from, this.cursor ?? icount), to);
    const step = this.length / this.buckets;
    switch (key) {
      case "ArrowLeft":
      case "ArrowRight": {
        const by = key === "ArrowLeft" ? -step : step;
        this.cursor = this.icountAt(this.partOf(Math.round(at + by)));
        return "draw";
      }
      case "Home":
      case "End":
        this.cursor = this.icountAt(key === "Home" ? 0 : 1);
        return "draw";
      case "+":
      case "-":
        this.cursor = at;
        this.zoomBy(key === "+" ? 1 / ZOOM : ZOOM, at);
        return "ask";
      case "Escape":
        this.zoomed = undefined;
        return "ask";
      case "Enter":
        this.cursor = at;
        return "go";
      default:
        return undefined;
    }
  }
}

/** What stands where there is nothing to draw or to list. */
export function emptyText(
  machine: "none" | "running" | "stopped" | "ended",
  filter: string,
): string {
  if (machine === "none") return "No MinVisor session is in front: start one to see its VM exits.";
  if (filter !== "") return "No exit fulfils the filter.";
  if (machine === "ended") return "The session has ended.";
  return "The guest has not exited yet: exits come once the hypervisor has run VMRUN.";
}
