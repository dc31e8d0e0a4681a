/**
 * A real PostgreSQL server for tests: a cluster of its own in a temporary folder, on a free port of the loopback
 * address. fsync stays on: what is tested includes what the server promises.
 */
import { chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "bun";

/** A running server: its URL, and the faults that can be done to it. */
export type PostgresServer = {
  url: string;
  /** Makes an empty database beside the usual one. @returns its URL */
  newDatabase(): Promise<string>;
  /** Stops it at once, as a crash would. */
  kill(): void;
  /** Starts it again on the same data and port. */
  start(): void;
  /** Stops it and removes its data. */
  [Symbol.dispose](): void;
};

/**
 * Starts a server.
 * @param settings where not PostgreSQL's defaults
 * @param environment of its own, beside this process's
 * @throws Error with its own words when it does not come up
 */
export function startPostgres(
  settings: Record<string, string> = {},
  environment: Record<string, string> = {},
): PostgresServer {
  const directory = mkdtempSync(join(tmpdir(), "coffee-orders-postgres-"));
  const data = join(directory, "data");
  const asPostgres = dropRoot(directory);
  const run = (program: string, ...args: string[]) => {
    const { exitCode, stderr, stdout } = Bun.spawnSync([...asPostgres, binary(program), ...args], {
      cwd: directory,
      env: { ...process.env, ...environment },
      timeout: 120_000,
    });
    if (exitCode !== 0) throw new Error(`${program} failed: ${stderr}${stdout}`);
  };
  const port = freePort();
  run("initdb", "--pgdata", data, "--auth", "trust", "--username", "postgres", "--no-sync");
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=100`;
  const given = Object.entries(settings).map(([name, value]) => ` -c ${name}=${value}`);
  const start = () =>
    run(
      "pg_ctl",
      "start",
      "--wait",
      "--pgdata",
      data,
      "--log",
      join(directory, "log"),
      "--options",
      options + given.join(""),
    );
  const stop = () => run("pg_ctl", "stop", "--pgdata", data, "--mode", "immediate");
  let running = true;
  start();
  let databases = 0;
  const urlOf = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`;
  return {
    url: urlOf("postgres"),
    async newDatabase() {
      databases += 1;
      const name = `database_${databases}`;
      await using admin = new SQL({ url: urlOf("postgres"), max: 1 });
      await admin.unsafe(`CREATE DATABASE ${name}`);
      return urlOf(name);
    },
    kill() {
      stop();
      running = false;
    },
    start() {
      start();
      running = true;
    },
    [Symbol.dispose]() {
      if (running) stop();
      rmSync(directory, { recursive: true });
    },
  };
}

/** Debian keeps the server's programs outside the PATH, by version. */
function binary(name: string): string {
  const debian = "/usr/lib/postgresql";
  const versions = Bun.which("pg_ctlcluster") ? readdirSync(debian).sort() : [];
  const path = versions.length > 0 ? join(debian, versions.at(-1) ?? "", "bin", name) : Bun.which(name);
  if (!path) throw new Error(`PostgreSQL's ${name} is not installed`);
  return path;
}

/** PostgreSQL refuses to run as root: then it runs as the user its package made. */
function dropRoot(directory: string): string[] {
  if (process.getuid?.() !== 0) return [];
  const id = (flag: string) => Number(Bun.spawnSync(["id", flag, "postgres"]).stdout.toString());
  chownSync(directory, id("-u"), id("-g"));
  return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];
}

/** A port that is free now. */
export function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}
