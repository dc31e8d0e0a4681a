// A bill of materials as CycloneDX 1.6 has it (https://cyclonedx.org/docs/1.6/json). The same parts give the same bytes: it
// bears neither a time nor a serial number.

/** One part, with what it is made of and what it needs. */
export interface Component {
  type: "application" | "library" | "platform";
  name: string;
  group?: string;
  version?: string;
  /** https://github.com/package-url/purl-spec; also what others refer to it by. */
  purl?: string;
  hashes?: { alg: "SHA-256" | "SHA-512"; content: string }[];
  licenses?: { expression: string }[];
  pedigree?: { notes: string };
  externalReferences?: { type: string; url: string }[];
  /** Whose code is part of its own. */
  components?: Component[];
}

/** Which parts need which, by purl. */
export type Needs = ReadonlyMap<string, readonly string[]>;

/** The document. @param whole what it is the bill of; it needs every part that no other does */
export function billOf(whole: Component & { purl: string }, parts: readonly Component[], needs: Needs) {
  const referable = (one: Component) => ({ ...(one.purl && { "bom-ref": one.purl }), ...one });
  const needed = new Set([...needs.values()].flat());
  const own = parts.flatMap(({ purl }) => (purl && !needed.has(purl) ? [purl] : []));
  const dependencies = [[whole.purl, own] as const, ...needs].map(([ref, on]) => ({ ref, dependsOn: on }));
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: referable(whole) },
    components: parts.map(referable),
    dependencies,
  };
}
