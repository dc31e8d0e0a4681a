// The topic of the orders is deleted and made anew, by mistake or to get rid of it all. Everything that was not handled is
// destroyed by it; the offsets begin again, and everything that the new topic takes is to be handled.

import { comesTrue } from "../../kit/until.ts";
import { UserError } from "../../kit/user-error.ts";
import { tierOf } from "../system/system.ts";
import type { Fault } from "./fault.ts";

const callLimitMs = 20_000;
/** Until every broker has deleted it, nobody can make it again. */
const anewLimitMs = 60_000;

/** Only here: every other fault does without node-rdkafka, and strikes where `make up` has run and nothing was built. */
async function client() {
  const [{ consumerOf }, { createTopic, deleteTopic }, { openTopicReader }] = await Promise.all([
    import("../history/collect.ts"),
    import("../../ops/create-topic.ts"),
    import("../../ops/read-topic.ts"),
  ]);
  return { consumerOf, createTopic, deleteTopic, openTopicReader };
}

export const topicAnew: Fault = {
  what: "deletes the topic of the orders and makes it anew",
  inject: async ({ topology }, targets, { cut }) => {
    const other = targets.find((one) => tierOf(one) !== "broker");
    if (other) throw new UserError(`${other.name} has no topic.`);
    const { consumerOf, createTopic, deleteTopic, openTopicReader } = await client();
    // Where it is secured, nobody whom an order passes may delete a topic.
    const config = await consumerOf(topology, "broker");
    const reader = await openTopicReader(config, config.ORDERS_TOPIC);
    const kept = reader.ranges.reduce((sum, { start, end }) => sum + end - start, 0);
    await reader.close();
    const beganMs = Date.now();
    await deleteTopic(config, config.ORDERS_TOPIC, callLimitMs);
    const made = await comesTrue(
      async () => (await createTopic(config, config.ORDERS_TOPIC).catch(() => "existing")) === "created",
      anewLimitMs,
    );
    if (!made) throw new UserError(`${config.ORDERS_TOPIC} was deleted, and can't be made anew`);
    // What was written between the look and the deletion went with it: no faster than orders come.
    const records = kept + (Date.now() - beganMs);
    cut?.({ atMs: Date.now(), beganMs, records });
    return `${kept} records were deleted with the topic`;
  },
  heal: async () => {},
};
