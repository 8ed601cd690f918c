/** What the documents of all our pages have in common: only our own script and style may run in them. */

/** Where a page's script and style are. */
export interface PageSources {
  /** Missing for a page that does nothing by itself. */
  readonly script?: string;
  readonly style: string;
  readonly cspSource: string;
}

/** `body` is all that is in the document's body, `state` what it says of the machine. */
export function pageHtml(
  { script, style, cspSource }: PageSources,
  title: string,
  body: string,
  state?: string,
): string {
  const scripts = script === undefined ? "" : ` script-src ${cspSource};`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${cspSource};${scripts}">
<link rel="stylesheet" href="${style}">
<title>${escaped(title)}</title>
</head>
<body${state === undefined ? "" : ` data-machine="${state}"`}>
${body}
${script === undefined ? "" : `<script src="${script}"></script>\n`}</body>
</html>`;
}

/** Text as it stands in an element or an attribute. */
export function escaped(text: string): string {
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" } as const;
  return text.replace(/[&<>"]/g, (character) => entities[character as keyof typeof entities]);
}
