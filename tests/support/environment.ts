/** Does work with variables of the environment changed (undefined takes one away), and puts them back. */
export async function withEnvironment<T>(env: object, work: () => Promise<T>): Promise<T> {
  const before = { ...process.env };
  for (const [name, value] of Object.entries(env as Readonly<Record<string, string | undefined>>))
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  try {
    return await work();
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
}
