/** The diagram as a table, for whoever can't see it or would rather read. */
import type { ComponentChildren } from "preact";
import { visible } from "../../../kit/visible.ts";
import { count, ms, perS, seconds } from "../format.ts";
import { part, shown } from "../store.ts";

const instances = part((now) => now.instances, shown);
const partitions = part((now) => now.partitions, shown);

function Table({ of, heads, children }: { of: string; heads: string[]; children: ComponentChildren }) {
  return (
    <table>
      <caption>{of}</caption>
      <thead>
        <tr>
          {heads.map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}

export function InstanceTable() {
  return (
    <details class="panel table">
      <summary>The same as tables</summary>
      <div class="tables">
        <Table of="Instances" heads={["name", "tier", "state", "orders", "p99", "role"]}>
          {Object.entries(instances.value ?? {}).map(([name, one]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{one.tier}</td>
              <td>{one.why && one.why !== one.state ? `${one.state}: ${visible(one.why)}` : one.state}</td>
              <td>{perS(one.ratePerS)}</td>
              <td>{ms(one.p99Ms)}</td>
              <td>{one.role}</td>
            </tr>
          ))}
        </Table>
        <Table
          of="Partitions"
          heads={["partition", "leader", "leader epoch", "in sync", "consumer", "waiting", "oldest"]}
        >
          {Object.entries(partitions.value ?? {}).map(([at, one]) => (
            <tr key={at}>
              <th scope="row">{at}</th>
              <td>{one.leader < 0 ? "none" : one.leader}</td>
              <td>{one.epoch}</td>
              <td>{one.inSync.join(" ")}</td>
              <td>{one.owner ?? "nobody"}</td>
              <td>{count(one.lag)}</td>
              <td>{seconds(one.oldestS)}</td>
            </tr>
          ))}
        </Table>
      </div>
    </details>
  );
}
