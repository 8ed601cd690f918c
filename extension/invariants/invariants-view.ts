/** The view "Invariants" of the debug sidebar. */
import {
  Disposable,
  type Event,
  ThemeColor,
  ThemeIcon,
  type TreeDataProvider,
  TreeItem,
  TreeItemCollapsibleState,
  window,
} from "vscode";
import type { Verdict } from "../../debug-adapter/protocol.ts";
import { COMMANDS, ROW_CONTEXTS, VIEWS } from "../contributions.ts";
import type { InvariantFeed } from "./invariant-feed.ts";
import { badgeOf, type Row, rowsOf, textOf } from "./invariant-tree.ts";

const COLORS: { readonly [V in Verdict]: ThemeColor } = {
  violated: new ThemeColor("list.errorForeground"),
  unknown: new ThemeColor("list.warningForeground"),
  holds: new ThemeColor("testing.iconPassed"),
  "never checked": new ThemeColor("disabledForeground"),
};

class InvariantRows implements TreeDataProvider<Row> {
  readonly onDidChangeTreeData: Event<void>;
  private readonly feed: InvariantFeed;

  constructor(feed: InvariantFeed) {
    this.feed = feed;
    this.onDidChangeTreeData = feed.onDidChange;
  }

  getChildren(row?: Row): Row[] {
    return [...rowsOf(this.feed.statuses, row)];
  }

  getTreeItem(row: Row): TreeItem {
    const { id, label, description, tooltip, icon, isOpen } = textOf(row);
    const { None, Expanded, Collapsed } = TreeItemCollapsibleState;
    const item = new TreeItem(
      label,
      row.kind === "invariant" ? None : isOpen ? Expanded : Collapsed,
    );
    item.id = id;
    item.description = description;
    item.tooltip = tooltip;
    item.iconPath = new ThemeIcon(icon, COLORS[row.verdict]);
    item.accessibilityInformation = { label: `${label}, ${description}` };
    if (row.kind === "invariant") {
      const { invariant, violatedInvariant } = ROW_CONTEXTS;
      item.contextValue = row.status.violation === undefined ? invariant : violatedInvariant;
      item.command = {
        command: COMMANDS.goToInvariant,
        title: "Go to Invariant",
        arguments: [row],
      };
    }
    return item;
  }
}

export function registerInvariantsView(feed: InvariantFeed): Disposable {
  const view = window.createTreeView(VIEWS.invariants, {
    treeDataProvider: new InvariantRows(feed),
    showCollapseAll: true,
  });
  const show = (): void => {
    view.badge = badgeOf(feed.statuses);
  };
  return Disposable.from(view, feed.onDidChange(show));
}
