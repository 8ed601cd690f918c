/** The language server of .inv files: what it can do, its documents and the hypervisor's program. */
import {
  CodeActionKind,
  type Connection,
  type InitializeResult,
  LSPErrorCodes,
  ResponseError,
  TextDocumentSyncKind,
  TextDocuments,
} from "vscode-languageserver";
import { TextDocument } from "vscode-languageserver-textdocument";
import { SHIPPED_INVARIANTS } from "../shipped.ts";
import { Answers, Refusal } from "./answers.ts";
import type { Files } from "./files.ts";
import { Hypervisors } from "./hypervisors.ts";
import {
  ACL2_FORM,
  type Acl2Form,
  type Acl2FormParams,
  EXPRESSION_AT,
  type InitializationOptions,
  SET_HYPERVISORS,
  SHIPPED_TEXT,
  type ShippedText,
  type ShippedTextParams,
} from "./protocol.ts";
import { LEGEND } from "./semantic-tokens.ts";
import { sourceFinder } from "./source-files.ts";
import { pathOf, uriOf } from "./uri.ts";
import { folderOf, InvWorkspace } from "./workspace.ts";

const CAPABILITIES: InitializeResult = {
  capabilities: {
    textDocumentSync: TextDocumentSyncKind.Incremental,
    hoverProvider: true,
    completionProvider: { triggerCharacters: [".", ">", "$"], resolveProvider: true },
    definitionProvider: true,
    referencesProvider: true,
    renameProvider: { prepareProvider: true },
    documentSymbolProvider: true,
    documentFormattingProvider: true,
    codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix] },
    semanticTokensProvider: { legend: LEGEND, full: true, range: true },
  },
};

/** Serves the connection until it closes. */
export function serve(connection: Connection, files: Files): void {
  new InvServer(connection, files).listen();
}

class InvServer {
  private readonly connection: Connection;
  private readonly files: Files;
  private readonly documents = new TextDocuments(TextDocument);
  private readonly workspace: InvWorkspace;
  private readonly answers: Answers;
  private hypervisors: Hypervisors;
  private roots: readonly string[] = [];
  /** Paths whose diagnostics the client has. */
  private told: ReadonlySet<string> = new Set();

  constructor(connection: Connection, files: Files) {
    this.connection = connection;
    this.files = files;
    this.hypervisors = new Hypervisors({}, files);
    this.workspace = new InvWorkspace(files);
    const find = sourceFinder(files, (path) => {
      const { program, sourceMap = {} } = this.hypervisors.of(folderOf(path)) ?? {};
      const roots = [...this.roots, ...(program ? [program] : [])];
      return { sourceMap: new Map(Object.entries(sourceMap)), roots };
    });
    this.answers = new Answers(this.workspace, find);
  }

  listen(): void {
    const { connection, documents, workspace } = this;
    connection.onInitialize(({ initializationOptions, workspaceFolders, rootUri }) => {
      const uris = workspaceFolders?.map(({ uri }) => uri) ?? (rootUri === null ? [] : [rootUri]);
      this.roots = uris.map(pathOf);
      this.setHypervisors((initializationOptions ?? {}) as InitializationOptions);
      return CAPABILITIES;
    });
    connection.onNotification(SET_HYPERVISORS, (options: InitializationOptions) => {
      this.setHypervisors(options);
      this.tellAll();
    });
    connection.onDidChangeWatchedFiles(() => {
      workspace.diskChanged();
      this.tellAll();
    });
    documents.onDidChangeContent(({ document }) => {
      workspace.set(pathOf(document.uri), document.getText());
      this.tellAll();
    });
    documents.onDidClose(({ document }) => {
      workspace.remove(pathOf(document.uri));
      this.tellAll();
    });
    this.answerStandard();
    this.answerOwn();
    documents.listen(connection);
    connection.listen();
  }

  private answerStandard(): void {
    const { connection, answers } = this;
    connection.onHover(({ textDocument: { uri }, position }) =>
      answers.hover(pathOf(uri), position),
    );
    connection.onCompletion(({ textDocument: { uri }, position }) =>
      answers.completion(pathOf(uri), position),
    );
    connection.onCompletionResolve((item) => answers.resolved(item));
    connection.onDefinition(({ textDocument: { uri }, position }) =>
      answers.definition(pathOf(uri), position),
    );
    connection.onReferences(({ textDocument: { uri }, position }) =>
      answers.references(pathOf(uri), position),
    );
    connection.onPrepareRename(({ textDocument: { uri }, position }) =>
      answers.prepareRename(pathOf(uri), position),
    );
    connection.onRenameRequest(({ textDocument: { uri }, position, newName }) =>
      orError(() => answers.rename(pathOf(uri), position, newName)),
    );
    connection.onDocumentSymbol(({ textDocument: { uri } }) => answers.symbols(pathOf(uri)));
    connection.onDocumentFormatting(({ textDocument: { uri } }) => answers.formatting(pathOf(uri)));
    connection.onCodeAction(({ textDocument: { uri }, range }) =>
      answers.codeActions(pathOf(uri), range),
    );
    const { semanticTokens } = connection.languages;
    semanticTokens.on(({ textDocument: { uri } }) => answers.semanticTokens(pathOf(uri)));
    semanticTokens.onRange(({ textDocument: { uri }, range }) =>
      answers.semanticTokens(pathOf(uri), range),
    );
  }

  private answerOwn(): void {
    const { connection, answers } = this;
    connection.onRequest(ACL2_FORM, ({ uri, name }: Acl2FormParams) =>
      orError((): Acl2Form => ({ text: answers.acl2Form(pathOf(uri), name) })),
    );
    connection.onRequest(EXPRESSION_AT, ({ textDocument: { uri }, position }) =>
      answers.expressionAt(pathOf(uri), position),
    );
    connection.onRequest(SHIPPED_TEXT, ({ uri }: ShippedTextParams): ShippedText | null => {
      return SHIPPED_INVARIANTS.find(({ path }) => path === pathOf(uri)) ?? null;
    });
  }

  private setHypervisors(options: InitializationOptions): void {
    const hypervisors = new Hypervisors(options, this.files);
    this.hypervisors = hypervisors;
    this.workspace.setPrograms((folder) => hypervisors.namesIn(folder));
  }

  private tellAll(): void {
    const paths = new Set(this.workspace.paths);
    for (const path of new Set([...this.told, ...paths])) {
      const diagnostics = paths.has(path) ? this.answers.diagnostics(path) : [];
      void this.connection.sendDiagnostics({ uri: uriOf(path), diagnostics });
    }
    this.told = paths;
  }
}

function orError<T>(answer: () => T): T | ResponseError {
  try {
    return answer();
  } catch (caught) {
    if (!(caught instanceof Refusal)) throw caught;
    return new ResponseError(LSPErrorCodes.RequestFailed, caught.message);
  }
}
