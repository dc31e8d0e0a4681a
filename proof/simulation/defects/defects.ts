/** A defect that is put back: in a file of src/handling, what is there once becomes what is wrong. */
export type Defect = { defect: string; file: string; right: string; wrong: string };
