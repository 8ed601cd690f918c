// Joins and normalises source paths by their text alone, Unix and Windows ones alike.

/** Joins the parts from the last absolute one on, and resolves "." and "..". */
export function joinPath(...parts: readonly string[]): string {
  let joined = "";
  for (const part of parts) {
    if (part === "") continue;
    joined = joined === "" || isAbsolute(part) ? part : `${joined}/${part}`;
  }
  return normalizePath(joined);
}

/** "/a/./b/../c" becomes "/a/c"; separators become "/". */
export function normalizePath(path: string): string {
  const windows = /^[A-Za-z]:[\\/]|^\\\\/.test(path);
  const text = windows ? path.replaceAll("\\", "/") : path;
  const kept: string[] = [];
  for (const part of text.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else if (part !== ".." || !text.startsWith("/")) kept.push(part);
  }
  return (text.startsWith("/") ? "/" : "") + kept.join("/");
}

function isAbsolute(path: string): boolean {
  return path.startsWith("/") || /^[A-Za-z]:[\\/]|^\\\\/.test(path);
}
