/** Numbers of exits, instructions and the like as they are shown: in groups of three digits. */
export const counted = (count: number): string => count.toLocaleString("en-US");
