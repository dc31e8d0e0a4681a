/** Styles are bundled beside the script, and have nothing to import. */
declare module "*.css";
