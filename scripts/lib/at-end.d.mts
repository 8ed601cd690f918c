// Types of at-end.mjs, for the tests.

export function atEnd(clean: () => void): () => void;
