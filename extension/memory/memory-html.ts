/** The memory view's document; only our own script and style may run in it. */
import { type PageSources, pageHtml } from "../page-html.ts";

export function memoryHtml(sources: PageSources): string {
  const body = `<div id="tools" role="toolbar" aria-label="Memory">
<form id="go-to">
<label for="address">Address</label>
<input id="address" type="text" spellcheck="false" autocomplete="off" title="A memory reference or an expression of C; Enter goes there">
</form>
<button id="previous" type="button" aria-label="Previous page" title="Previous page (Page Up)">Previous</button>
<button id="next" type="button" aria-label="Next page" title="Next page (Page Down)">Next</button>
<span id="status" role="status" aria-live="polite"></span>
</div>
<div id="grid" role="grid" aria-label="Memory"></div>`;
  return pageHtml(sources, "Memory", body, "running");
}
