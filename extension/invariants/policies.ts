/** Policies chosen in the view of invariants: set in the session, and in those to come in this workspace. */
import { type DebugSession, type Disposable, type Memento, Uri, workspace } from "vscode";
import type { InvariantPolicy, InvariantStatus } from "../../debug-adapter/protocol.ts";
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
        this.send(session);
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

  private get kept(): readonly KeptPolicy[] {
    return this.memento.get<readonly KeptPolicy[]>(STORAGE_KEY, []);
  }

  private keep(kept: readonly KeptPolicy[]): Thenable<void> {
    return this.memento.update(STORAGE_KEY, kept);
  }

  /** At once, so that they count before the machine runs. One that the session does not know is refused alone. */
  private send(session: DebugSession): void {
    for (const { name, policy } of policiesFor(this.kept, session.configuration)) {
      const policies = { [name]: policy };
      customRequest(session, "minvisor/setInvariantPolicy", { policies }).then(
        ({ invariants }) => this.feed.take(session, invariants),
        () => {},
      );
    }
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
