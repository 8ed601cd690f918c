/** The document of the view of all exits; only our own script and style may run in it. */
import { EXIT_GROUPS } from "../../debug-adapter/protocol.ts";
import { type PageSources, pageHtml } from "../page-html.ts";
import { GROUP_TITLES } from "./exit-columns.ts";

const GROUP_OPTIONS = EXIT_GROUPS.map((by) => `<option value="${by}">${GROUP_TITLES[by]}</option>`);

export function exitsHtml(sources: PageSources): string {
  const body = `<form id="tools" role="search" aria-label="Exits">
<input id="filter" type="text" spellcheck="false" autocomplete="off" aria-label="Filter" placeholder="Filter, e.g. reason=NPF,IOIO cost&gt;=1000 port=0x3f8..0x3ff" title="All conditions must hold: NAME, one of = != &lt; &lt;= &gt; &gt;=, VALUE. Names: reason, guest, number, icount, cost, rip, cr3, info1, info2, port, msr, gpa, changed. A name of an exit alone is its reason; != is for reasons. Enter applies it.">
<label for="group">Group by</label>
<select id="group"><option value="">nothing</option>${GROUP_OPTIONS.join("")}</select>
<button id="whole" type="button" title="Show all of the recording (Escape in the drawing)">Whole Run</button>
<span id="status" role="status" aria-live="polite"></span>
</form>
<div id="time">
<div id="legend" role="group" aria-label="Reasons drawn"></div>
<canvas id="drawing" role="slider" tabindex="0" aria-label="Exits over time" title="Click goes there, a drag zooms in. Keys: left and right move, Enter goes there, + and - zoom, Escape shows the whole run."></canvas>
<div id="readout" aria-live="polite"></div>
</div>
<div id="grid" role="grid" tabindex="0" aria-label="VM exits">
<div id="header" role="row" aria-rowindex="1"></div>
<div id="rows" role="presentation"><div id="height" role="presentation"><div id="window" role="rowgroup"></div></div></div>
</div>
<p id="empty"></p>`;
  return pageHtml(sources, "VM Exits", body, "none");
}
