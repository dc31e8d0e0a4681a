/**
 * Makes the users of Kafka and gives them their rights, as a superuser (KAFKA_SASL_USERNAME): `bun ops/rights.ts FILE FOLDER`.
 * FILE has lines of user, kind (topic or group), name and operations; FOLDER has each user's password in `kafka-USER`. It may
 * run again: passwords become what they are there, and the rights of these users what the file says. Exit 1: why it can't be
 * done.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ownCommandLine } from "../kit/arguments.ts";
import { UserError } from "../kit/user-error.ts";
import { kafkaConfig } from "../src/config.ts";
import { startWith } from "../src/runtime/shutdown.ts";
import { type Admission, array, ask, type Door, int32, saltedPassword, string } from "./protocol.ts";

const metadata = [3, 1] as const;
const alterCredentials = [51, 0, "flexible"] as const;
const describeAcls = [29, 1] as const;
const createAcls = [30, 1] as const;
const deleteAcls = [31, 1] as const;
const iterations = 8_192;
const scramSha512 = 2;
const patience = { tries: 30, everyMs: 1_000 };
/** A change takes a round of all brokers, or more where they are busy. */
const answerLimitMs = 10_000;

/** Of the protocol: AclOperation, ResourceType, PatternType, AclPermissionType. */
const operations = { READ: 3, WRITE: 4, CREATE: 5, DELETE: 6, DESCRIBE: 8, DESCRIBE_CONFIGS: 10 } as const;
const kinds = { topic: 2, group: 3 } as const;
const literal = 3;
const prefixed = 4;
const allow = 3;
const any = 1;
/** A string that is null. */
const none = Buffer.of(0xff, 0xff);

/** One operation that one user may do. A name's last * stands for any text. */
export interface Right {
  user: string;
  kind: keyof typeof kinds;
  name: string;
  operation: keyof typeof operations;
}

/** @throws Error naming the line that can't be understood */
export function readRights(text: string): Right[] {
  return text.split("\n").flatMap((line) => {
    if (line.trim() === "" || line.startsWith("#")) return [];
    const [user = "", kind = "", name = "", listed = "", ...more] = line.trim().split(/\s+/);
    return listed.split(",").map((operation) => {
      if (!(kind in kinds && operation in operations) || more.length > 0)
        throw new Error(`this says no right: ${line}`);
      return { user, kind, name, operation } as Right;
    });
  });
}

export const grant = (door: Door, rights: readonly Right[]): Promise<void> =>
  change(door, createAcls, rights, (reader) => [reader.int16(), reader.string()]);

/** Takes rights away again. */
export const revoke = (door: Door, rights: readonly Right[]): Promise<void> =>
  change(door, deleteAcls, rights, (reader) => {
    const told = [reader.int16(), reader.string()] as const;
    reader.list(() => {
      reader.int16();
      reader.string();
      reader.int8();
      reader.string();
      reader.int8();
      return [reader.string(), reader.string(), reader.int8(), reader.int8()];
    });
    return told;
  });

/** Rights that users have beyond these, of the kinds that there can be: users whom none of these names are left out. */
export async function beyond(door: Door, rights: readonly Right[]): Promise<Right[]> {
  const filter = [Buffer.of(any), none, Buffer.of(any), none, none, Buffer.of(any, any)];
  const reader = await ask(door, describeAcls, Buffer.concat(filter), answerLimitMs);
  reader.int32();
  const [code, message] = [reader.int16(), reader.string()];
  if (code !== 0) throw new Error(`rights can't be read: ${message} (${code})`);
  const nameOf = <Name extends string>(of: Record<Name, number>, number: number) =>
    (Object.keys(of) as Name[]).find((name) => of[name] === number);
  const found = reader
    .list(() => {
      const [type, resource, pattern] = [reader.int8(), reader.string(), reader.int8()];
      return reader.list(() => {
        const [principal, host] = [reader.string(), reader.string()];
        const [operation, permission] = [nameOf(operations, reader.int8()), reader.int8()];
        const kind = nameOf(kinds, type);
        if (!kind || !operation || permission !== allow || host !== "*") return [];
        const name = pattern === prefixed ? `${resource}*` : resource;
        return [{ user: principal.replace(/^User:/, ""), kind, name, operation }];
      });
    })
    .flat(2);
  const users = new Set(rights.map(({ user }) => user));
  const wanted = new Set(rights.map(textOf));
  return found.filter((right) => users.has(right.user) && !wanted.has(textOf(right)));
}

const textOf = ({ user, kind, name, operation }: Right) => [user, kind, name, operation].join(" ");

async function change(
  door: Door,
  request: typeof createAcls | typeof deleteAcls,
  rights: readonly Right[],
  result: (reader: Awaited<ReturnType<typeof ask>>) => readonly [code: number, message: string],
): Promise<void> {
  const items = rights.map(({ user, kind, name, operation }) => {
    const begins = name.endsWith("*");
    return Buffer.concat([
      Buffer.of(kinds[kind]),
      string(begins ? name.slice(0, -1) : name),
      Buffer.of(begins ? prefixed : literal),
      string(`User:${user}`),
      string("*"),
      Buffer.of(operations[operation], allow),
    ]);
  });
  const reader = await ask(door, request, array(items), answerLimitMs);
  reader.int32();
  for (const [code, message] of reader.list(() => result(reader)))
    if (code !== 0) throw new Error(`rights were not changed: ${message} (${code})`);
}

/**
 * Makes users, or gives them new passwords, and takes others away.
 * @param door the controller's: with ZooKeeper no other broker does it
 */
export async function setPasswords(
  door: Door,
  passwords: Record<string, string>,
  gone: readonly string[] = [],
): Promise<void> {
  const compact = (content: Buffer | string) =>
    Buffer.concat([Buffer.of(Buffer.byteLength(content) + 1), Buffer.from(content as string)]);
  const users = Object.entries(passwords).map(([user, password]) => {
    const salt = randomBytes(16);
    const salted = saltedPassword(password, salt, iterations);
    const name = [compact(user), Buffer.of(scramSha512), int32(iterations)];
    return Buffer.concat([...name, compact(salt), compact(salted), Buffer.of(0)]);
  });
  const deletions = gone.map((user) => Buffer.concat([compact(user), Buffer.of(scramSha512, 0)]));
  const counts = [deletions, users].map(({ length }) => Buffer.of(length + 1)) as [Buffer, Buffer];
  const body = Buffer.concat([counts[0], ...deletions, counts[1], ...users, Buffer.of(0)]);
  const reader = await ask(door, alterCredentials, body, answerLimitMs);
  reader.int32();
  for (let left = reader.int8() - 1; left > 0; left -= 1) {
    const [user, code, message] = [reader.compactString(), reader.int16(), reader.compactString()];
    if (code !== 0) throw new Error(`the user ${user} was not changed: ${message} (${code})`);
    reader.int8();
  }
}

/** Where the controller listens, as a broker names it. @throws Error where there is none */
export async function findController(door: Door): Promise<Door> {
  const reader = await ask(door, metadata, array([]), answerLimitMs);
  const brokers = reader.list(() => {
    const found = { id: reader.int32(), host: reader.string(), port: reader.int32() };
    reader.string();
    return found;
  });
  const controller = reader.int32();
  const found = brokers.find(({ id }) => id === controller);
  if (!found) throw new Error("there is no controller");
  return { host: found.host, port: found.port, admission: door.admission };
}

async function main(file: string, folder: string): Promise<void> {
  const config = startWith(() => kafkaConfig());
  const rights = readRights(readFileSync(file, "utf8"));
  const text = (name: string) => readFileSync(join(folder, name), "utf8").trimEnd();
  const passwords = Object.fromEntries(
    [...new Set(rights.map(({ user }) => user))].map((user) => [user, text(`kafka-${user}`)]),
  );
  const {
    KAFKA_SSL_CA_LOCATION: ca,
    KAFKA_SASL_USERNAME: username,
    KAFKA_SASL_PASSWORD: password = "",
  } = config;
  if (!ca || !username)
    throw new UserError(
      "The superuser is let in by SCRAM-SHA-512 over TLS: KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SSL_CA_LOCATION.",
    );
  const admission: Admission = { ca: readFileSync(ca, "utf8"), username, password };
  const [host = "", port = ""] = (config.KAFKA_BROKERS.split(",")[0] as string).split(/:(?=\d+$)/);
  for (let tries = 1; ; tries += 1)
    try {
      const controller = await findController({ host, port: Number(port), admission });
      await setPasswords(controller, passwords);
      await grant(controller, rights);
      const taken = await beyond(controller, rights);
      await revoke(controller, taken);
      console.log(
        `${Object.keys(passwords).length} users, ${rights.length} rights, ${taken.length} taken away`,
      );
      return;
    } catch (error) {
      if (tries === patience.tries) throw error;
      await Bun.sleep(patience.everyMs);
    }
}

if (import.meta.main) {
  const usage = `bun ops/rights.ts FILE FOLDER
Makes the users of Kafka that FILE names and gives them their rights, as the superuser of KAFKA_SASL_USERNAME.
  FILE     lines of user, kind (topic or group), name, operations: as infra/secure/rights.txt
  FOLDER   has each user's password in kafka-USER
Exit code: 0 done; 1 why not; 2 the command was not understood.`;
  const named = (_: unknown, [file, folder]: string[]) => {
    if (!file || !folder) throw new UserError("FILE and FOLDER are missing.");
    return [file, folder] as const;
  };
  const [file, folder] = ownCommandLine(usage, {}, named, 2);
  await main(file, folder).catch((error) => {
    console.error((error as Error).message);
    process.exitCode = 1;
  });
}
