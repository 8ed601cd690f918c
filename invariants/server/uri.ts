/** Paths of files, and the URIs that an editor has for them. */
import { SHIPPED_SCHEME } from "./protocol.ts";
import { isShipped } from "./workspace.ts";

/** Of a file its absolute path with "/"; of one that is shipped its name; of another document the URI. */
export function pathOf(uri: string): string {
  if (uri.startsWith(`${SHIPPED_SCHEME}:/`)) return uri.slice(SHIPPED_SCHEME.length + 2);
  return uri.startsWith("file:") ? decodeURIComponent(new URL(uri).pathname) : uri;
}

export function uriOf(path: string): string {
  if (isShipped(path)) return `${SHIPPED_SCHEME}:/${path}`;
  return path.startsWith("/")
    ? `file://${encodeURI(path).replace(/[?#]/g, encodeURIComponent)}`
    : path;
}
