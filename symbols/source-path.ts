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

/** Where a path lies by the longest prefix that a map has of it; undefined where it has none. */
export function mappedPath(
  path: string,
  sourceMap: ReadonlyMap<string, string>,
): string | undefined {
  for (const prefix of [...sourceMap.keys()].sort((a, b) => b.length - a.length)) {
    const from = normalizePath(prefix);
    const isOfIt = from === "" ? !isAbsolute(path) : `${path}/`.startsWith(`${from}/`);
    if (isOfIt) return `${sourceMap.get(prefix)}/${path.slice(from === "" ? 0 : from.length + 1)}`;
  }
  return undefined;
}

function isAbsolute(path: string): boolean {
  return path.startsWith("/") || /^[A-Za-z]:[\\/]|^\\\\/.test(path);
}
