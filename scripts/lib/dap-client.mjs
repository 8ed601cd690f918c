// A small Debug Adapter Protocol client over an adapter's stdio, on Node's built-ins alone.

import { spawn } from "node:child_process";

const SEPARATOR = "\r\n\r\n";

/** Splits a byte stream into the JSON bodies of Content-Length frames. */
function frameReader(receive) {
  let buffered = Buffer.alloc(0);
  return (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    for (;;) {
      const end = buffered.indexOf(SEPARATOR);
      if (end < 0) return;
      const header = buffered.subarray(0, end).toString("latin1");
      const length = Number(/Content-Length: (\d+)/i.exec(header)?.[1]);
      if (!Number.isInteger(length)) throw new Error(`not a DAP header: ${header}`);
      const start = end + SEPARATOR.length;
      if (buffered.length < start + length) return;
      receive(JSON.parse(buffered.subarray(start, start + length).toString("utf8")));
      buffered = buffered.subarray(start + length);
    }
  };
}

export class DapClient {
  #adapter;
  #sequence = 0;
  #pending = new Map();
  #listeners = new Set();
  #ended = false;

  /** Starts the adapter. What it writes on standard error is passed through. */
  constructor(command, args) {
    this.#adapter = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#adapter.stdout.on(
      "data",
      frameReader((message) => this.#receive(message)),
    );
    this.#adapter.on("error", (error) => this.#end(error.message));
    this.#adapter.on("close", (status) => this.#end(`the adapter ended with status ${status}`));
  }

  #receive(message) {
    if (message.type === "event") {
      for (const listener of [...this.#listeners]) listener.event(message.event, message.body);
      return;
    }
    const pending = this.#pending.get(message.request_seq);
    this.#pending.delete(message.request_seq);
    if (message.success) pending?.resolve(message.body);
    else pending?.reject(new Error(`${message.command}: ${errorText(message)}`));
  }

  #end(reason) {
    this.#ended = true;
    for (const { reject } of this.#pending.values()) reject(new Error(reason));
    this.#pending.clear();
    for (const listener of [...this.#listeners]) listener.ended(reason);
  }

  /** Sends a request; resolves to the response's body, rejects with its message. */
  request(command, args = {}) {
    if (this.#ended) return Promise.reject(new Error(`${command}: the adapter has ended`));
    const seq = ++this.#sequence;
    const body = Buffer.from(JSON.stringify({ seq, type: "request", command, arguments: args }));
    return new Promise((resolve, reject) => {
      this.#pending.set(seq, { resolve, reject });
      this.#adapter.stdin.write(`Content-Length: ${body.length}${SEPARATOR}`);
      this.#adapter.stdin.write(body);
    });
  }

  /** Calls back for every event from now on; returns what ends that. */
  onEvent(event) {
    const listener = { event, ended: () => {} };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves to the body of the first event from now on that `matches` takes. */
  waitFor(what, matches) {
    return new Promise((resolve, reject) => {
      const finish = (settle) => {
        this.#listeners.delete(listener);
        settle();
      };
      const listener = {
        event: (name, body) => {
          if (matches(name, body)) finish(() => resolve({ name, body }));
        },
        ended: (reason) => finish(() => reject(new Error(`waiting for ${what}: ${reason}`))),
      };
      this.#listeners.add(listener);
    });
  }

  /** Ends the adapter where it has not ended by itself. */
  dispose() {
    if (!this.#ended) this.#adapter.kill();
  }
}

/** DAP's formatted error, with its {variables} filled in. */
function errorText({ message, body }) {
  const error = body?.error;
  if (!error?.format) return message ?? "failed";
  return error.format.replace(/\{(\w+)\}/g, (all, name) => error.variables?.[name] ?? all);
}
