/**
 * Imported for what it does: what is asked of this machine goes through no proxy, whatever the environment says of others.
 * `fetch` reads it at each call, and the small letters first.
 */
const ours = "127.0.0.1,localhost";
const given = process.env.no_proxy || process.env.NO_PROXY;
const all = given?.includes(ours) ? given : [given, ours].filter(Boolean).join(",");
Object.assign(process.env, { NO_PROXY: all, no_proxy: all });
