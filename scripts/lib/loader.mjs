// How every bundle of ours reads files that are no code: an .inv file is imported as its text.

/** @type {{ ".inv": "text" }} */
export const LOADER = { ".inv": "text" };
