// The CloudFormation templates that `sls package` makes, for the tests that look into them.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { packageStage } from "../../scripts/package-stage.ts";

export interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, any>;
  readonly Condition?: string;
  readonly DependsOn?: string | readonly string[];
  readonly DeletionPolicy?: string;
}

/** A template, its conditions decided: what is left out is not here, and each `Fn::If` is the value that it has. */
export interface Template {
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs: Readonly<Record<string, { Value: unknown; Condition?: string }>>;
}

/** What `sls package` makes. */
export interface Packaged extends Template {
  /** Bytes of each function's zip, by the function's name. */
  readonly sizes: Readonly<Record<string, number>>;
}

/**
 * Packages a stage, with parameters as `--param` takes them.
 * @throws Error with what was printed
 */
export async function readPackaged(
  stage: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<Packaged> {
  const folder = mkdtempSync(path.join(tmpdir(), "packaged-"));
  try {
    const file = await packageStage(stage, parameters, folder);
    const sizes = readdirSync(folder)
      .filter((name) => name.endsWith(".zip"))
      .map((name) => [path.parse(name).name, statSync(path.join(folder, name)).size] as const);
    return {
      ...decide(JSON.parse(readFileSync(file, "utf8")) as Undecided),
      sizes: Object.fromEntries(sizes),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Undecided extends Template {
  readonly Conditions: Readonly<Record<string, { "Fn::Equals": [string, string] }>>;
}

function decide({ Conditions, Resources, Outputs }: Undecided): Template {
  const holds = (name: string): boolean => {
    const [left, right] = Conditions[name]!["Fn::Equals"];
    return left === right;
  };
  const NOTHING = Symbol("AWS::NoValue");
  const decided = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(decided).filter((one) => one !== NOTHING);
    if (typeof value !== "object" || value === null) return value;
    if ("Fn::If" in value) {
      const [condition, yes, no] = value["Fn::If"] as [string, unknown, unknown];
      return decided(holds(condition) ? yes : no);
    }
    if ("Ref" in value && value.Ref === "AWS::NoValue") return NOTHING;
    return Object.fromEntries(
      Object.entries(value)
        .map(([key, inner]) => [key, decided(inner)] as const)
        .filter(([, inner]) => inner !== NOTHING),
    );
  };
  const present = <T extends { Condition?: string }>(of: Readonly<Record<string, T>>) =>
    Object.fromEntries(
      Object.entries(of).filter(([, { Condition }]) => Condition === undefined || holds(Condition)),
    );
  return decided({ Resources: present(Resources), Outputs: present(Outputs) }) as Template;
}

/** The resources of one type, by logical id. */
export const ofType = (template: Template, type: string): [string, Resource][] =>
  Object.entries(template.Resources).filter(([, { Type }]) => Type === type);

/** The logical ids that a value refers to, by Ref, Fn::GetAtt or Fn::Sub. */
export function referencesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(referencesIn);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]): string[] => {
    if (key === "Ref") return [String(inner)];
    if (key === "Fn::GetAtt")
      return [String(Array.isArray(inner) ? inner[0] : inner).split(".")[0]!];
    if (key === "Fn::Sub") {
      const [text, given = {}] = [inner].flat() as [string, Record<string, unknown>?];
      const names = [...text.matchAll(/\$\{([^!}]+)\}/g)].map(([, name]) => name!.split(".")[0]!);
      return [...names.filter((name) => !(name in given)), ...referencesIn(given)];
    }
    return referencesIn(inner);
  });
}
