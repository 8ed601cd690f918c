/** Policies chosen in the view of invariants: set in the session, and in those to come in this workspace. */
import { type DebugSession, type Disposable, type Memento, Uri, workspace } from "vscode";
import type {
  InvariantPolicies,
  InvariantPolicy,
  InvariantStatus,
} from "../../debug-adapter/protocol.ts";
import { SHIPPED_INVARIANTS } from "../../invariants/shipped.ts";
import { customRequest } from "../session.ts";
import { onSessionEvents } from "../session-events.ts";
import type { InvariantFeed } from "./invariant-feed.ts";
import { goneFrom, type KeptPolicy, policiesFor, without, withPolicy } from "./kept-policies.ts";

const STORAGE_KEY = "invariantPolicies";

export class Policies implements Disposable {
  private readonly memento: Memento;
  private readonly feed: InvariantFeed;
  private readonly subscription: Disposable;

  constructor(memento: Memento, feed: InvariantFeed) {
    this.memento = memento;
    this.feed = feed;
    this.subscription = onSessionEvents({
      initialized: (session) => {
        void this.send(session);
        void this.forgetWhatIsGone();
      },
    });
  }

  dispose(): void {
    this.subscription.dispose();
  }

  async choose(
    session: DebugSession,
    { name, at }: Pick<InvariantStatus, "name" | "at">,
    policy: InvariantPolicy,
  ): Promise<void> {
    const policies = { [name]: policy };
    const answer = await customRequest(session, "minvisor/setInvariantPolicy", { policies });
    this.feed.take(session, answer.invariants);
    const file = at === undefined ? {} : { file: at.path };
    await this.keep(withPolicy(this.kept, { name, policy, ...file }));
  }

  /** Those that are kept for what the session checks where it checks these files too. */
  withFiles({ configuration }: DebugSession, files: readonly string[]): InvariantPolicies {
    const counting = policiesFor(this.kept, configuration, files);
    return Object.fromEntries(counting.map(({ name, policy }) => [name, policy]));
  }

  /** At once, so that they count before the machine runs. One that the session does not know is refused alone. */
  private async send(session: DebugSession): Promise<void> {
    const sent = policiesFor(this.kept, session.configuration).map(({ name, policy }) => {
      const policies = { [name]: policy };
      return customRequest(session, "minvisor/setInvariantPolicy", { policies }).then(
        ({ invariants }) => this.feed.take(session, invariants),
        () => {},
      );
    });
    await Promise.all(sent);
  }

  private get kept(): readonly KeptPolicy[] {
    return this.memento.get<readonly KeptPolicy[]>(STORAGE_KEY, []);
  }

  private keep(kept: readonly KeptPolicy[]): Thenable<void> {
    return this.memento.update(STORAGE_KEY, kept);
  }

  private async forgetWhatIsGone(): Promise<void> {
    const gone = await goneFrom(this.kept, textOf);
    if (gone.length > 0) await this.keep(without(this.kept, gone));
  }
}

/** Empty where the file is gone. */
async function textOf(file: string | undefined): Promise<string> {
  if (file === undefined) return SHIPPED_INVARIANTS.map(({ text }) => text).join("\n");
  try {
    return new TextDecoder().decode(await workspace.fs.readFile(Uri.file(file)));
  } catch {
    return "";
  }
}
