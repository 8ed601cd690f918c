/** What the session needs from its surroundings: messages, files, time and a disassembler. */
import type { DebugProtocol } from "@vscode/debugprotocol";
import type { Codec } from "../emulator/index.ts";
import type { ParkedMachines } from "./parked-machines.ts";

/** Carries whole protocol messages both ways. */
export interface MessageTransport {
  send(message: DebugProtocol.ProtocolMessage): void;
  onMessage(receive: (message: DebugProtocol.ProtocolMessage) => void): void;
  /** The client has gone. */
  onClose(closed: () => void): void;
}

export interface FileReader {
  /** Rejects with an Error of one sentence that names the path and the reason. */
  read(path: string): Promise<Uint8Array>;
  /** Makes `path` absolute, from `cwd` or the adapter's own directory. */
  resolve(path: string, cwd: string | undefined): string;
  exists(path: string): Promise<boolean>;
  /** Renames a file, over another; false where there is none, or a device. Rejects as read() does. */
  rename(path: string, to: string): Promise<boolean>;
  /** Opens a file for writing from its start; rejects as read() does. */
  openForWriting(path: string): Promise<FileSink>;
}

export interface FileSink {
  write(bytes: Uint8Array): void;
  close(): void;
}

export type CodeBits = 16 | 32 | 64;

/** How an instruction goes on. */
export type Flow = "next" | "call" | "return" | "jump" | "other";

export interface DecodedInstruction {
  readonly length: number;
  readonly text: string;
  readonly flow: Flow;
  /** False where the bytes are no instruction; the length is then 1. */
  readonly isValid: boolean;
  readonly mnemonic: string;
  /** Of a direct branch or call. */
  readonly target: bigint | undefined;
}

export interface Disassembler {
  /** Decodes up to `count` instructions that lie in `bytes`, which start at `address`. */
  decode(bytes: Uint8Array, address: bigint, bits: CodeBits, count: number): DecodedInstruction[];
}

export interface Services {
  readonly files: FileReader;
  readonly disassembler: Disassembler;
  /** Milliseconds that only go forward. */
  now(): number;
  /** Calls back after messages that wait were handled, or after a delay; returns what cancels it. */
  schedule(callback: () => void, delayMs: number): () => void;
  /** Compresses recordings. */
  readonly codec: Codec;
  /** In hexadecimal. */
  sha256(bytes: Uint8Array): Promise<string>;
  /** Where machines stay between sessions; missing where the adapter ends with its session. */
  readonly parked?: ParkedMachines;
}
