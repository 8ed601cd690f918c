/** The memory view's document; only our own script and style may run in it. */
import type { PageSources } from "../webview-page.ts";

export function memoryHtml({ script, style, cspSource }: PageSources): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${cspSource}; script-src ${cspSource};">
<link rel="stylesheet" href="${style}">
<title>Memory</title>
</head>
<body data-machine="running">
<div id="tools" role="toolbar" aria-label="Memory">
<form id="go-to">
<label for="address">Address</label>
<input id="address" type="text" spellcheck="false" autocomplete="off" title="A memory reference or an expression of C; Enter goes there">
</form>
<button id="previous" type="button" aria-label="Previous page" title="Previous page (Page Up)">Previous</button>
<button id="next" type="button" aria-label="Next page" title="Next page (Page Down)">Next</button>
<span id="status" role="status" aria-live="polite"></span>
</div>
<div id="grid" role="grid" aria-label="Memory"></div>
<script src="${script}"></script>
</body>
</html>`;
}
