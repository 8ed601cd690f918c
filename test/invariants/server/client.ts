/** An editor of .inv files, as far as the language server sees one: its protocol over a pipe within the process. */
import { PassThrough } from "node:stream";
import {
  createConnection,
  createProtocolConnection,
  type Diagnostic,
  type Position,
  type ProtocolConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import { FILES } from "../../../invariants/server/files.ts";
import type { InitializationOptions } from "../../../invariants/server/protocol.ts";
import { serve } from "../../../invariants/server/server.ts";

export class Client {
  /** By URI, as they came last. */
  readonly diagnostics = new Map<string, readonly Diagnostic[]>();
  private readonly connection: ProtocolConnection;
  private readonly texts = new Map<string, string>();
  private version = 1;

  private constructor() {
    const [toServer, toClient] = [new PassThrough(), new PassThrough()];
    serve(
      createConnection(new StreamMessageReader(toServer), new StreamMessageWriter(toClient)),
      FILES,
    );
    this.connection = createProtocolConnection(
      new StreamMessageReader(toClient),
      new StreamMessageWriter(toServer),
    );
    this.connection.listen();
    this.connection.onNotification("textDocument/publishDiagnostics", ({ uri, diagnostics }) => {
      this.diagnostics.set(uri, diagnostics);
    });
  }

  static async start(options: InitializationOptions, rootUri: string | null = null) {
    const client = new Client();
    const capabilities = {};
    const initializationOptions = options;
    await client.ask("initialize", {
      processId: null,
      rootUri,
      capabilities,
      initializationOptions,
    });
    await client.tell("initialized", {});
    return client;
  }

  dispose(): void {
    this.connection.dispose();
  }

  ask<T>(method: string, params: object): Promise<T> {
    return this.connection.sendRequest(method, params);
  }

  tell(method: string, params: object): Promise<void> {
    return this.connection.sendNotification(method, params);
  }

  async open(uri: string, text: string): Promise<void> {
    this.texts.set(uri, text);
    const textDocument = { uri, languageId: "inv", version: this.version, text };
    await this.tell("textDocument/didOpen", { textDocument });
  }

  /** One edit, sent as the range that it changes. */
  async edit(uri: string, start: number, end: number, by: string): Promise<void> {
    const text = this.text(uri);
    const range = { start: this.position(uri, start), end: this.position(uri, end) };
    this.texts.set(uri, text.slice(0, start) + by + text.slice(end));
    const textDocument = { uri, version: ++this.version };
    await this.tell("textDocument/didChange", {
      textDocument,
      contentChanges: [{ range, text: by }],
    });
  }

  async replace(uri: string, text: string): Promise<void> {
    await this.edit(uri, 0, this.text(uri).length, text);
  }

  text(uri: string): string {
    return this.texts.get(uri) ?? "";
  }

  /** The place `into` characters behind where a text begins. */
  at(uri: string, text: string, into = 0): { textDocument: { uri: string }; position: Position } {
    const offset = this.text(uri).indexOf(text);
    if (offset < 0) throw new Error(`${uri} has no ${text}`);
    return { textDocument: { uri }, position: this.position(uri, offset + into) };
  }

  position(uri: string, offset: number): Position {
    return TextDocument.create(uri, "inv", 0, this.text(uri)).positionAt(offset);
  }

  /** Once the server has done all that it was told. */
  async problems(uri: string): Promise<readonly Diagnostic[]> {
    await this.ask("textDocument/documentSymbol", { textDocument: { uri } });
    return this.diagnostics.get(uri) ?? [];
  }
}
