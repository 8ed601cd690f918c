/** Where a page's own script and style are: the only ones that may run in it. */
import { Uri, type Webview } from "vscode";

export interface PageSources {
  readonly script: string;
  readonly style: string;
  readonly cspSource: string;
}

export const pageFolder = (extension: Uri): Uri => Uri.joinPath(extension, "dist");

export function pageSources(webview: Webview, extension: Uri, name: string): PageSources {
  const uri = (file: string) =>
    webview.asWebviewUri(Uri.joinPath(pageFolder(extension), file)).toString();
  return { script: uri(`${name}.js`), style: uri(`${name}.css`), cspSource: webview.cspSource };
}
