// Types of package.mjs, for the tests.

export function vsixPath(): string;
export function packageExtension(path?: string): string;
