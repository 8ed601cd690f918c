/** Where a page's own script and style are: the only ones that may run in it. */
import { Uri, type Webview } from "vscode";
import type { PageSources } from "./page-html.ts";

export const pageFolder = (extension: Uri): Uri => Uri.joinPath(extension, "dist");

/** Of a page that has no script. */
export function styleSource(webview: Webview, extension: Uri, name: string): PageSources {
  return { style: builtFile(webview, extension, `${name}.css`), cspSource: webview.cspSource };
}

export function pageSources(webview: Webview, extension: Uri, name: string): PageSources {
  const script = builtFile(webview, extension, `${name}.js`);
  return { ...styleSource(webview, extension, name), script };
}

function builtFile(webview: Webview, extension: Uri, file: string): string {
  return webview.asWebviewUri(Uri.joinPath(pageFolder(extension), file)).toString();
}
