/** The diagram as a table, for whoever can't see it or would rather read. */
import { count, ms, perS, seconds } from "./format.ts";
import { part } from "./store.ts";

const instances = part((now) => now.instances);
const partitions = part((now) => now.partitions);

export function InstanceTable() {
  return (
    <details class="panel table">
      <summary>The same as tables</summary>
      <div class="tables">
        <table>
          <caption>Instances</caption>
          <thead>
            <tr>
              {["name", "tier", "state", "orders", "p99", "role"].map((head) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {Object.entries(instances.value ?? {}).map(([name, one]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{one.tier}</td>
                <td>{one.why && one.why !== one.state ? `${one.state}: ${one.why}` : one.state}</td>
                <td>{perS(one.ratePerS)}</td>
                <td>{ms(one.p99Ms)}</td>
                <td>{one.role}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <table>
          <caption>Partitions</caption>
          <thead>
            <tr>
              {["partition", "leader", "in sync", "consumer", "waiting", "oldest"].map((head) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {Object.entries(partitions.value ?? {}).map(([at, one]) => (
              <tr key={at}>
                <th scope="row">{at}</th>
                <td>{one.leader < 0 ? "none" : one.leader}</td>
                <td>{one.inSync.join(" ")}</td>
                <td>{one.owner ?? "nobody"}</td>
                <td>{count(one.lag)}</td>
                <td>{seconds(one.oldestS)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
