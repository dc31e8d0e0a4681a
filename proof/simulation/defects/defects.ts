/** A defect that is put back: in a file, by its path from src/handling, what is there once becomes what is wrong. */
export type Defect = { defect: string; file: string; right: string; wrong: string };
