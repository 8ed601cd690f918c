/** The drawing of exits over time: what TimeAxis says, on a canvas in the colours of the theme. */
import type { ExitDensityArguments, ExitDensityBody } from "../../debug-adapter/protocol.ts";
import type { TimeAxis } from "../exits/time-axis.ts";
import { byId, eachFrame, element } from "./dom.ts";

/** Pixels of a piece of time. */
const BUCKET_WIDTH = 4;
/** A pointer that moves less has clicked. */
const LEAST_DRAG = 4;
/** Room for the triangle at the present. */
const TOP = 8;

const COLOURS = ["blue", "orange", "green", "purple", "red", "yellow"];

export interface DrawingActions {
  readonly ask: (args: ExitDensityArguments) => Promise<ExitDensityBody>;
  readonly go: (icount: number) => void;
  readonly filter: () => string;
}

export class Drawing {
  private readonly axis: TimeAxis;
  private readonly actions: DrawingActions;
  private readonly canvas = byId<HTMLCanvasElement>("drawing");
  private readonly legend = byId("legend");
  private readonly readout = byId("readout");
  private readonly wholeButton = byId<HTMLButtonElement>("whole");
  /** Where a button went down, and where the pointer is: parts of the width. */
  private from: number | undefined;
  private hover: number | undefined;
  private isAsking = false;
  private isStale = false;
  private readonly drawSoon = eachFrame(() => this.draw());

  constructor(axis: TimeAxis, actions: DrawingActions) {
    this.axis = axis;
    this.actions = actions;
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    canvas.addEventListener("pointerup", (event) => this.onUp(event));
    canvas.addEventListener("pointerleave", () => this.onLeave());
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    this.wholeButton.addEventListener("click", () => this.showWhole());
    new ResizeObserver(() => void this.refresh()).observe(canvas);
    // A theme that changes changes the page's classes.
    new MutationObserver(this.drawSoon).observe(document.body, { attributeFilter: ["class"] });
  }

  /** Asks for what is shown; what is asked in the meantime is asked once more. */
  async refresh(): Promise<void> {
    this.isStale = true;
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      while (this.isStale) {
        this.isStale = false;
        const buckets = Math.max(1, Math.floor(this.canvas.clientWidth / BUCKET_WIDTH));
        const filter = this.actions.filter();
        this.axis.take(await this.actions.ask({ ...this.axis.zoomed, buckets, filter }));
      }
    } catch {
      // The table says what is wrong.
    } finally {
      this.isAsking = false;
    }
    this.drawLegend();
    this.drawSoon();
  }

  forget(): void {
    this.axis.forget();
    this.drawLegend();
    this.drawSoon();
  }

  private showWhole(): void {
    this.axis.zoomed = undefined;
    void this.refresh();
  }

  private partOf({ offsetX }: MouseEvent): number {
    return Math.min(Math.max(0, offsetX / this.canvas.clientWidth), 1);
  }

  private onDown(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.from = this.partOf(event);
    this.canvas.setPointerCapture(event.pointerId);
  }

  private onMove(event: PointerEvent): void {
    this.hover = this.partOf(event);
    this.say(this.hover);
    this.drawSoon();
  }

  private onUp(event: PointerEvent): void {
    const { from } = this;
    this.from = undefined;
    if (from === undefined || this.axis.isEmpty) return;
    const to = this.partOf(event);
    if (Math.abs(to - from) * this.canvas.clientWidth < LEAST_DRAG) {
      this.actions.go(this.axis.icountAt(to));
      return;
    }
    this.axis.zoomTo(from, to);
    void this.refresh();
  }

  private onLeave(): void {
    this.hover = undefined;
    this.readout.textContent = "";
    this.drawSoon();
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey || this.axis.isEmpty) return;
    const effect = this.axis.key(event.key);
    if (effect === undefined) return;
    event.preventDefault();
    if (effect === "go") this.actions.go(this.axis.cursor as number);
    if (effect === "ask") void this.refresh();
    if (this.axis.cursor !== undefined) this.say(this.axis.partOf(this.axis.cursor));
    this.drawSoon();
  }

  private say(part: number): void {
    this.readout.textContent = this.axis.isEmpty ? "" : this.axis.textAt(part);
  }

  private colourOf(reason: string): string {
    const name = COLOURS[this.axis.reasons.indexOf(reason)] ?? "foreground";
    return getComputedStyle(document.body).getPropertyValue(`--vscode-charts-${name}`) || "gray";
  }

  /** A button a reason; pressed while it is drawn. */
  private drawLegend(): void {
    const { axis } = this;
    const known = this.legend.querySelectorAll("button").length;
    this.wholeButton.disabled = axis.zoomed === undefined;
    if (known === axis.reasons.length) return;
    this.legend.replaceChildren(
      ...axis.reasons.map((reason) => {
        const button = element("button", "reason");
        const mark = element("span", "mark");
        mark.style.background = this.colourOf(reason);
        button.setAttribute("type", "button");
        button.setAttribute("aria-pressed", String(!axis.hidden.has(reason)));
        button.append(mark, reason);
        button.addEventListener("click", () => {
          if (!axis.hidden.delete(reason)) axis.hidden.add(reason);
          button.setAttribute("aria-pressed", String(!axis.hidden.has(reason)));
          this.drawSoon();
        });
        return button;
      }),
    );
  }

  private draw(): void {
    const { canvas, axis } = this;
    const ratio = window.devicePixelRatio;
    const { clientWidth: width, clientHeight: height } = canvas;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    if (pen === null || axis.isEmpty) return;
    pen.scale(ratio, ratio);
    const buckets = axis.density.reasons[0]?.counts.length ?? 1;
    const step = width / buckets;
    const room = height - TOP;
    for (const { reason, bucket, bottom, top } of axis.bars()) {
      pen.fillStyle = this.colourOf(reason);
      const high = Math.max(1, (top - bottom) * room);
      pen.fillRect(bucket * step, height - bottom * room - high, Math.max(1, step - 1), high);
    }
    this.drawMarks(pen, width, height);
    this.speak();
  }

  private drawMarks(pen: CanvasRenderingContext2D, width: number, height: number): void {
    const { axis } = this;
    const style = getComputedStyle(document.body);
    const colour = (name: string) => style.getPropertyValue(`--vscode-${name}`) || "gray";
    const line = (icount: number | undefined, name: string, dash: readonly number[]): void => {
      if (icount === undefined) return;
      const x = axis.partOf(icount) * width;
      if (x < 0 || x > width) return;
      pen.strokeStyle = colour(name);
      pen.setLineDash([...dash]);
      pen.beginPath();
      pen.moveTo(Math.min(Math.max(0.5, x), width - 0.5), 0);
      pen.lineTo(Math.min(Math.max(0.5, x), width - 0.5), height);
      pen.stroke();
    };
    if (this.from !== undefined && this.hover !== undefined) {
      pen.fillStyle = colour("editor-selectionBackground");
      const left = Math.min(this.from, this.hover) * width;
      pen.globalAlpha = 0.5;
      pen.fillRect(left, 0, Math.abs(this.from - this.hover) * width, height);
      pen.globalAlpha = 1;
    } else if (this.hover !== undefined) line(axis.icountAt(this.hover), "foreground", [1, 3]);
    line(axis.density.endIcount, "descriptionForeground", [4, 3]);
    line(axis.cursor, "focusBorder", [2, 2]);
    line(axis.density.icount, "foreground", []);
    const x = axis.partOf(axis.density.icount) * width;
    pen.fillStyle = colour("foreground");
    pen.beginPath();
    pen.moveTo(x - TOP / 2, 0);
    pen.lineTo(x + TOP / 2, 0);
    pen.lineTo(x, TOP);
    pen.fill();
  }

  /** What a screen reader says of the slider. */
  private speak(): void {
    const { axis, canvas } = this;
    const { from, to, icount } = axis.density;
    const at = axis.cursor ?? icount;
    canvas.setAttribute("aria-valuemin", String(from));
    canvas.setAttribute("aria-valuemax", String(to));
    canvas.setAttribute("aria-valuenow", String(at));
    canvas.setAttribute("aria-valuetext", axis.textAt(axis.partOf(at)));
  }
}
