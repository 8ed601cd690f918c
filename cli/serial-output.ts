/** Where the bytes of a serial port go, and whether a text has been seen among them. */

import { closeSync, openSync, writeSync } from "node:fs";
import { BadInput } from "./bad-input.ts";
import type { SerialTarget } from "./options.ts";

/** Bytes are gathered up to this many before a write. */
const CHUNK = 4096;
const NEWLINE = 10;

export class SerialOutput {
  constructor(target: SerialTarget, until: string | undefined) {
    this.until = until;
    if (target === "stdio") this.descriptor = 1;
    else if (target !== "null") this.descriptor = open(target.file);
  }
  private readonly descriptor: number | undefined;
  private readonly until: string | undefined;
  private pending: number[] = [];
  private recent = "";
  /** The text was printed. */
  seen = false;

  /** Takes a byte; true when it completes the awaited text. */
  put(byte: number): boolean {
    this.pending.push(byte);
    if (byte === NEWLINE || this.pending.length >= CHUNK) this.flush();
    return this.watch(byte);
  }

  private watch(byte: number): boolean {
    if (this.until === undefined || this.seen) return false;
    this.recent = (this.recent + String.fromCharCode(byte)).slice(-this.until.length);
    this.seen = this.recent === this.until;
    return this.seen;
  }

  flush(): void {
    if (this.descriptor !== undefined && this.pending.length > 0) {
      writeAll(this.descriptor, Uint8Array.from(this.pending));
    }
    this.pending = [];
  }

  close(): void {
    this.flush();
    if (this.descriptor !== undefined && this.descriptor > 2) closeSync(this.descriptor);
  }
}

/** A pipe whose reader is slow refuses writes for a while (EAGAIN). */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EPIPE") return;
      if (code !== "EAGAIN") throw error;
    }
  }
}

function open(file: string): number {
  try {
    return openSync(file, "w");
  } catch (error) {
    throw new BadInput(`Serial output ${file} cannot be written: ${(error as Error).message}`);
  }
}
