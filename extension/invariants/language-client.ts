/** Starts the language server of .inv files when the first of them is opened. */
import {
  Disposable,
  debug,
  type ExtensionContext,
  type TextDocument,
  Uri,
  workspace,
} from "vscode";
import { LanguageClient, TransportKind } from "vscode-languageclient/node";
import {
  ACL2_FORM,
  type Acl2Form,
  type Acl2FormParams,
  type InitializationOptions,
  SET_HYPERVISORS,
  SHIPPED_SCHEME,
  SHIPPED_TEXT,
  type ShippedText,
} from "../../invariants/server/protocol.ts";
import { INVARIANT_LANGUAGE } from "../contributions.ts";
import { watchFile } from "../watch-file.ts";
import { withValue } from "./hover-value.ts";
import { hypervisors, type Launch } from "./hypervisors.ts";

export interface InvariantLanguage extends Disposable {
  /** Rejects with the reason where the invariant has none. */
  acl2Form(params: Acl2FormParams): Promise<Acl2Form>;
}

export function registerInvariantLanguage(context: ExtensionContext): InvariantLanguage {
  const files = workspace.createFileSystemWatcher("**/*.inv");
  const client = makeClient(context, files);
  const programs = new ProgramsWatch((options) => {
    if (client.isRunning()) void client.sendNotification(SET_HYPERVISORS, options);
  });
  const start = ({ languageId }: TextDocument): void => {
    if (languageId === INVARIANT_LANGUAGE) void client.start();
  };
  workspace.textDocuments.forEach(start);
  const all = Disposable.from(
    files,
    programs,
    workspace.onDidOpenTextDocument(start),
    registerShipped(client),
    { dispose: () => void client.dispose().catch(() => {}) },
  );
  return {
    acl2Form: (params) => ask(client, ACL2_FORM, params),
    dispose: () => all.dispose(),
  };
}

function makeClient(
  { extensionUri }: ExtensionContext,
  fileEvents: ReturnType<typeof workspace.createFileSystemWatcher>,
): LanguageClient {
  const module = Uri.joinPath(extensionUri, "dist", "invariants-server.cjs").fsPath;
  const run = { module, transport: TransportKind.ipc };
  const client: LanguageClient = new LanguageClient(
    "minvisor.invariants",
    "Invariants",
    { run, debug: run },
    {
      documentSelector: [{ language: INVARIANT_LANGUAGE }],
      initializationOptions: currentOptions,
      synchronize: { fileEvents },
      middleware: {
        provideHover: async (document, position, token, next) =>
          withValue(client, document, position, await next(document, position, token)),
      },
    },
  );
  return client;
}

async function ask<T>(client: LanguageClient, method: string, params: object): Promise<T> {
  await client.start();
  return client.sendRequest<T>(method, params);
}

/** What the language server has of files that are shipped, as documents that are only read. */
function registerShipped(client: LanguageClient): Disposable {
  return workspace.registerTextDocumentContentProvider(SHIPPED_SCHEME, {
    provideTextDocumentContent: async (uri) => {
      const found = await ask<ShippedText | null>(client, SHIPPED_TEXT, { uri: uri.toString() });
      return found?.text ?? "";
    },
  });
}

/** Of the present session, then of the launch configurations in their order. */
function currentOptions(): InitializationOptions {
  const setting = workspace.getConfiguration("minvisor").get<string>("invariants.program", "");
  const launches = workspace.getConfiguration("launch").get<Launch[]>("configurations", []);
  const session = debug.activeDebugSession?.configuration;
  const folders = (workspace.workspaceFolders ?? []).map(({ name, uri }) => {
    return { name, path: uri.fsPath };
  });
  const all = session === undefined ? launches : [session, ...launches];
  return { hypervisors: hypervisors(setting, all, folders) };
}

/** Tells when the hypervisors' programs or their sources are others, and when a program's file has changed. */
class ProgramsWatch implements Disposable {
  private readonly changed: (options: InitializationOptions) => void;
  private readonly subscriptions: Disposable;
  private current: InitializationOptions;
  private watcher: Disposable | undefined;

  constructor(changed: (options: InitializationOptions) => void) {
    this.changed = changed;
    this.current = currentOptions();
    this.watch();
    const look = () => this.look();
    this.subscriptions = Disposable.from(
      workspace.onDidChangeConfiguration(look),
      debug.onDidChangeActiveDebugSession(look),
    );
  }

  dispose(): void {
    this.subscriptions.dispose();
    this.watcher?.dispose();
  }

  private look(): void {
    const options = currentOptions();
    if (JSON.stringify(options) === JSON.stringify(this.current)) return;
    this.current = options;
    this.watch();
    this.changed(options);
  }

  private watch(): void {
    this.watcher?.dispose();
    const tell = () => this.changed(this.current);
    const paths = new Set(this.current.hypervisors?.map(({ program }) => program));
    const watchers = [...paths].flatMap((path) => {
      const watcher = watchFile(Uri.file(path));
      return [
        watcher,
        watcher.onDidChange(tell),
        watcher.onDidCreate(tell),
        watcher.onDidDelete(tell),
      ];
    });
    this.watcher = Disposable.from(...watchers);
  }
}
