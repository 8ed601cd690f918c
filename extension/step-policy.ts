/** Step policy of the session in front: shown in the status bar, chosen from a list. */
import {
  type DebugSession,
  Disposable,
  debug,
  type QuickPickItem,
  StatusBarAlignment,
  window,
} from "vscode";
import type { StepPolicy } from "../debug-adapter/protocol.ts";
import { registerCommand } from "./commands.ts";
import { COMMANDS, DEBUG_TYPE } from "./contributions.ts";
import { activeSession } from "./references.ts";
import { customRequest } from "./session.ts";
import { onSessionEvents } from "./session-events.ts";

interface Choice extends QuickPickItem {
  readonly policy: StepPolicy;
  readonly short: string;
}

const CHOICES: Readonly<Record<StepPolicy, Choice>> = {
  sameWorld: {
    policy: "sameWorld",
    label: "Stay in World",
    short: "stay in world",
    detail: "Over VMRUN the guest runs to its next exit; in a guest, exits are invisible.",
  },
  followCpu: {
    policy: "followCpu",
    label: "Follow the CPU",
    short: "follow the CPU",
    detail: "A step across VMRUN or #VMEXIT stops on the other world's first instruction.",
  },
};

function configuredPolicy({ configuration }: DebugSession): StepPolicy {
  return configuration.stepPolicy === "followCpu" ? "followCpu" : "sameWorld";
}

export function registerStepPolicy(): Disposable {
  /** Policies that were chosen, by session. */
  const chosen = new Map<string, StepPolicy>();
  const item = window.createStatusBarItem("minvisor.stepPolicy", StatusBarAlignment.Left);
  item.name = "MinVisor Step Policy";
  item.command = COMMANDS.chooseStepPolicy;
  item.tooltip = "Where steps go at VMRUN and #VMEXIT; click to choose";

  const policyOf = (session: DebugSession) => chosen.get(session.id) ?? configuredPolicy(session);
  const show = (): void => {
    const session = debug.activeDebugSession;
    if (session?.type !== DEBUG_TYPE) {
      item.hide();
      return;
    }
    item.text = `$(debug-step-over) Steps ${CHOICES[policyOf(session)].short}`;
    item.show();
  };
  const set = async (session: DebugSession, policy: StepPolicy): Promise<void> => {
    await customRequest(session, "minvisor/setStepPolicy", { policy });
    chosen.set(session.id, policy);
    show();
  };

  return Disposable.from(
    item,
    debug.onDidChangeActiveDebugSession(show),
    onSessionEvents({
      // A machine that starts anew has its configuration's policy.
      restarted: (session) => {
        const policy = chosen.get(session.id);
        if (policy !== undefined) void set(session, policy);
      },
      ended: ({ id }) => chosen.delete(id),
    }),
    registerCommand(COMMANDS.chooseStepPolicy, async () => {
      const session = activeSession();
      if (!session) return;
      const items = Object.values(CHOICES).map((choice) => ({
        ...choice,
        description: choice.policy === policyOf(session) ? "now" : "",
      }));
      const pick = await window.showQuickPick(items, { title: "Where Steps Go" });
      if (pick) await set(session, pick.policy);
    }),
  );
}
