// Types of loader.mjs, for the tests.

export const LOADER: { ".inv": "text" };
