/** Serial output as a terminal wants it. */

/** A line feed alone moves a terminal down only; printers of bare ones mean a new line. */
export function terminalText(text: string): string {
  return text.replace(/(?<!\r)\n/g, "\r\n");
}
