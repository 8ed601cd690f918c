// Types of package.mjs, for the tests.

export function packageExtension(path?: string): string;
