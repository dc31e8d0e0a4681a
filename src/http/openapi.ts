/** The HTTP interface as an OpenAPI 3.1 document: as `bun run client:types` has written it, with the order as it is validated. */
import { orderSchema } from "../order.ts";
import document from "./openapi.json" with { type: "json" };

// TypeBox's $id would move the base that references inside the document are resolved against.
const { $id: _, ...Order } = orderSchema;

/** The document. Its paths are those that pass the balancer. */
export const openApi = { ...document, components: { schemas: { ...document.components.schemas, Order } } };
