/** Runs the debug adapter in Node.js: on standard input and output, or on a port of the loopback. */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:net";
import { performance } from "node:perf_hooks";
import type { Readable, Writable } from "node:stream";
import { ParkedMachines } from "../parked-machines.ts";
import type { Services } from "../services.ts";
import { DebugSession } from "../session.ts";
import { deflate } from "./deflate.ts";
import { IcedDisassembler } from "./iced-disassembler.ts";
import { nodeFiles } from "./node-files.ts";
import { StreamTransport } from "./stream-transport.ts";

export interface AdapterOptions {
  /**
   * Listens on 127.0.0.1 for one session after another; 0 lets the system choose the port. A text
   * is the path of a local socket, or a named pipe of Windows.
   */
  readonly port?: number | string | undefined;
  /** Called with the port that is listened on; 0 for a path. */
  readonly onListening?: (port: number) => void;
}

function nodeServices(parked?: ParkedMachines): Services {
  return {
    ...(parked === undefined ? {} : { parked }),
    files: nodeFiles,
    disassembler: new IcedDisassembler(),
    codec: deflate,
    now: () => performance.now(),
    sha256: async (bytes) => createHash("sha256").update(bytes).digest("hex"),
    schedule(callback, delayMs) {
      if (delayMs <= 0) {
        const immediate = setImmediate(callback);
        return () => clearImmediate(immediate);
      }
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
  };
}

/** A session on a pair of streams; `parked` is shared by the sessions of one process. */
function serve(input: Readable, output: Writable, parked?: ParkedMachines): DebugSession {
  return new DebugSession(new StreamTransport(input, output), nodeServices(parked));
}

/** Resolves when the client on standard input has gone; with a port, when the server is closed. */
export function runAdapter(options: AdapterOptions = {}): Promise<void> {
  if (options.port !== undefined) return listen(options.port, options.onListening);
  return new Promise((resolve) => {
    serve(process.stdin, process.stdout);
    process.stdin.on("close", resolve);
    process.stdin.on("end", resolve);
  });
}

/** Rejects with an Error of one sentence if the port cannot be had. */
function listen(
  port: number | string,
  onListening: ((port: number) => void) | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const parked = new ParkedMachines();
    const server: Server = createServer((socket) => serve(socket, socket, parked));
    server.on("error", (caught) => {
      reject(new Error(`Port ${port} cannot be listened on: ${caught.message}.`));
    });
    server.on("close", resolve);
    const where = typeof port === "string" ? { path: port } : { port, host: "127.0.0.1" };
    server.listen(where, () => {
      const address = server.address();
      onListening?.(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}
