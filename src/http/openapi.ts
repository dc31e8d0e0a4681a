/** The HTTP interface as an OpenAPI 3.1 document, as `bun run client:types` has written it, with the order as it is validated. */
import { orderSchema as Order } from "../order.ts";
import document from "./openapi.json" with { type: "json" };

/** The document. Its paths are those that pass the balancer. */
export const openApi = { ...document, components: { schemas: { ...document.components.schemas, Order } } };
