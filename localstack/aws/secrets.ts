import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { AwsError } from "./errors.ts";
import { Journal } from "./journal.ts";

interface SecretVersion {
  readonly id: string;
  readonly string?: string;
  /** Base64. */
  readonly binary?: string;
  readonly stages: readonly string[];
  /** Seconds since 1970, as the protocol has them. */
  readonly created: number;
}

interface Secret {
  readonly name: string;
  readonly arn: string;
  readonly description?: string;
  readonly created: number;
  readonly changed: number;
  /** Set where it waits to be deleted. */
  readonly deleted?: number;
  readonly versions: readonly SecretVersion[];
}

type Entry = { readonly put: Secret } | { readonly delete: string };

/** A request's JSON, not looked at yet. */
export type Parameters = Readonly<Record<string, unknown>>;

/** Secrets Manager: secrets with versions and stages, kept in a journal on disk. */
export class SecretsManager {
  readonly #region: string;
  readonly #account: string;
  readonly #journal: Journal<Entry>;
  readonly #secrets = new Map<string, Secret>();

  constructor(folder: string, region: string, account: string) {
    this.#region = region;
    this.#account = account;
    mkdirSync(folder, { recursive: true });
    this.#journal = new Journal(path.join(folder, "secrets.jsonl"));
    for (const entry of this.#journal.past) this.#apply(entry);
  }

  /**
   * Runs one operation and gives its answer.
   * @throws AwsError (400) as Secrets Manager does; UnknownOperationException for those that are not known here
   */
  run(operation: string, parameters: Parameters): unknown {
    switch (operation) {
      case "CreateSecret":
        return this.#create(parameters);
      case "PutSecretValue":
        return this.#putValue(parameters);
      case "GetSecretValue":
        return this.#getValue(parameters);
      case "DescribeSecret":
        return describe(this.#find(parameters));
      case "ListSecrets":
        return { SecretList: [...this.#secrets.values()].filter((s) => !s.deleted).map(describe) };
      case "DeleteSecret":
        return this.#delete(parameters);
      default:
        throw new AwsError(
          400,
          "UnknownOperationException",
          `${operation} is not implemented by the local Secrets Manager`,
        );
    }
  }

  close(): void {
    this.#journal.close();
  }

  #create(parameters: Parameters): unknown {
    const name = text(parameters, "Name");
    if (name === undefined) throw new AwsError(400, "InvalidParameterException", "Name is missing");
    const existing = this.#secrets.get(name);
    if (existing?.deleted)
      throw new AwsError(
        400,
        "InvalidRequestException",
        "You can't create this secret because a secret with this name is already scheduled for deletion.",
      );
    if (existing)
      throw new AwsError(
        400,
        "ResourceExistsException",
        `The operation failed because the secret ${name} already exists.`,
      );
    const description = text(parameters, "Description");
    const secret: Secret = {
      name,
      arn: `arn:aws:secretsmanager:${this.#region}:${this.#account}:secret:${name}-${randomBytes(3).toString("hex")}`,
      ...(description === undefined ? {} : { description }),
      created: now(),
      changed: now(),
      versions: [],
    };
    const named = { ARN: secret.arn, Name: name };
    if (!hasValue(parameters)) {
      this.#commit({ put: secret });
      return named;
    }
    const [added, version] = addVersion(secret, parameters, ["AWSCURRENT"]);
    this.#commit({ put: added });
    return { ...named, VersionId: version.id };
  }

  #putValue(parameters: Parameters): unknown {
    const secret = this.#findAlive(parameters);
    if (!hasValue(parameters))
      throw new AwsError(
        400,
        "InvalidParameterException",
        "You must provide either SecretString or SecretBinary.",
      );
    const stages = (parameters["VersionStages"] as string[] | undefined) ?? ["AWSCURRENT"];
    const [changed, version] = addVersion(secret, parameters, stages);
    this.#commit({ put: changed });
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: version.id,
      VersionStages: version.stages,
    };
  }

  #getValue(parameters: Parameters): unknown {
    const secret = this.#findAlive(parameters);
    const id = text(parameters, "VersionId");
    const stage = text(parameters, "VersionStage") ?? (id === undefined ? "AWSCURRENT" : undefined);
    const version = secret.versions.find(
      (v) => (id === undefined || v.id === id) && (stage === undefined || v.stages.includes(stage)),
    );
    if (!version)
      throw new AwsError(
        400,
        "ResourceNotFoundException",
        `Secrets Manager can't find the specified secret value for ${id === undefined ? `staging label: ${stage}` : `VersionId: ${id}`}`,
      );
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: version.id,
      SecretString: version.string,
      SecretBinary: version.binary,
      VersionStages: version.stages,
      CreatedDate: version.created,
    };
  }

  #delete(parameters: Parameters): unknown {
    const secret = this.#find(parameters);
    if (parameters["ForceDeleteWithoutRecovery"] === true) {
      this.#commit({ delete: secret.name });
      return { ARN: secret.arn, Name: secret.name, DeletionDate: now() };
    }
    const days = Number(parameters["RecoveryWindowInDays"] ?? 30);
    const deleted = now() + days * 86_400;
    this.#commit({ put: { ...secret, deleted } });
    return { ARN: secret.arn, Name: secret.name, DeletionDate: deleted };
  }

  /** By name, by ARN, or by ARN without its random end. */
  #find(parameters: Parameters): Secret {
    const id = text(parameters, "SecretId") ?? "";
    const secret =
      this.#secrets.get(id) ??
      [...this.#secrets.values()].find(({ arn }) => arn === id || arn.slice(0, -7) === id);
    if (!secret)
      throw new AwsError(
        400,
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
      );
    return secret;
  }

  #findAlive(parameters: Parameters): Secret {
    const secret = this.#find(parameters);
    if (secret.deleted)
      throw new AwsError(
        400,
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
      );
    return secret;
  }

  #commit(entry: Entry): void {
    this.#journal.append(entry);
    this.#apply(entry);
  }

  #apply(entry: Entry): void {
    if ("put" in entry) this.#secrets.set(entry.put.name, entry.put);
    else this.#secrets.delete(entry.delete);
  }
}

/** A stage is at one version only: the one that was AWSCURRENT becomes AWSPREVIOUS. */
function addVersion(
  secret: Secret,
  parameters: Parameters,
  stages: readonly string[],
): [Secret, SecretVersion] {
  const id = text(parameters, "ClientRequestToken") ?? randomUUID();
  const string = text(parameters, "SecretString");
  const binary = text(parameters, "SecretBinary");
  const same = secret.versions.find((version) => version.id === id);
  if (same) {
    // A retry of a request that was answered, whose answer was lost.
    if (same.string === string && same.binary === binary) return [secret, same];
    throw new AwsError(
      400,
      "ResourceExistsException",
      `A resource with the ID you requested already exists: ${id}`,
    );
  }
  const version: SecretVersion = {
    id,
    ...(string === undefined ? {} : { string }),
    ...(binary === undefined ? {} : { binary }),
    stages,
    created: now(),
  };
  const replacesCurrent = stages.includes("AWSCURRENT");
  const older = secret.versions.map((old): SecretVersion => {
    const kept = old.stages.filter(
      (stage) => !stages.includes(stage) && !(replacesCurrent && stage === "AWSPREVIOUS"),
    );
    const wasCurrent = replacesCurrent && old.stages.includes("AWSCURRENT");
    return { ...old, stages: wasCurrent ? [...kept, "AWSPREVIOUS"] : kept };
  });
  return [{ ...secret, changed: now(), versions: [...older, version] }, version];
}

function describe(secret: Secret): unknown {
  return {
    ARN: secret.arn,
    Name: secret.name,
    Description: secret.description,
    CreatedDate: secret.created,
    LastChangedDate: secret.changed,
    DeletedDate: secret.deleted,
    VersionIdsToStages: Object.fromEntries(
      secret.versions.filter((v) => v.stages.length > 0).map(({ id, stages }) => [id, stages]),
    ),
  };
}

function hasValue(parameters: Parameters): boolean {
  return (
    text(parameters, "SecretString") !== undefined || text(parameters, "SecretBinary") !== undefined
  );
}

function text(parameters: Parameters, name: string): string | undefined {
  const value = parameters[name];
  return typeof value === "string" ? value : undefined;
}

function now(): number {
  return Date.now() / 1000;
}
