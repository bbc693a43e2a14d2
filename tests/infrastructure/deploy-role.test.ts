// What the role that GitHub deploys with must keep up with: the service as it is packaged.
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect } from "../support/chai.ts";
import { readPackaged, type Template } from "./packaged.ts";

const template = readFileSync(
  path.join(import.meta.dirname, "..", "..", "infrastructure", "deploy-role.yml"),
  "utf8",
);
const [deployRole = "", boundary = ""] = template.split(/^ {2}PermissionsBoundary:$/m);
const actionsOf = (text: string): string[] => text.match(/\b[a-z][a-z0-9]+:[A-Z]\w*\*?/g) ?? [];

const rolesOf = ({ Resources }: Template) =>
  Object.values(Resources).filter(({ Type }) => Type === "AWS::IAM::Role");

describe("infrastructure/deploy-role.yml", () => {
  let prod: Template;
  before(async () => {
    prod = await readPackaged("prod", {
      mail: "team@example.org",
      permissionsBoundary: "arn:aws:iam::000000000000:policy/totes-deploy-prod-boundary",
      subnetIds: "subnet-0a,subnet-0b",
      securityGroupIds: "sg-0a",
      secretsKeyArn: "arn:aws:kms:eu-west-2:000000000000:key/0a",
      athena: "true",
      retransform: "true",
    });
  });

  it("bounds the functions by no less than their own roles allow", () => {
    const allowed = rolesOf(prod).flatMap(({ Properties }) =>
      Properties["Policies"].flatMap(({ PolicyDocument }: any) =>
        PolicyDocument.Statement.flatMap(({ Action }: { Action: string | string[] }) => Action),
      ),
    );
    expect(allowed).to.include("secretsmanager:GetSecretValue");
    expect(actionsOf(boundary)).to.include.members([...new Set(allowed)]);
  });

  it("may make roles by the names that the service gives them, and not itself", () => {
    const names = rolesOf(prod).map(({ Properties }) => String(Properties["RoleName"]));
    expect(names).to.have.length(7);
    for (const name of names) expect(name).to.match(/^totes-warehouse-prod-/);
    expect(deployRole).to.match(/role\/totes-warehouse-\$\{Stage\}-\*/);
    expect(deployRole).to.include("RoleName: !Sub totes-deploy-${Stage}");
  });

  it("reads no secret, no message and nothing of the lake, and takes no boundary off", () => {
    const actions = actionsOf(deployRole);
    expect(actions).to.not.include("secretsmanager:GetSecretValue");
    expect(actions).to.not.include("sqs:ReceiveMessage");
    expect(actions).to.not.include("iam:DeleteRolePermissionsBoundary");
    // Of the deployment bucket alone.
    expect(actions.filter((action) => action === "s3:GetObject")).to.have.length(1);
    expect(deployRole).to.match(
      /Sid: DeploymentBucket[^]*?s3:GetObject[^]*?Resource: !Sub \S+:totes-warehouse-\$\{Stage\}-serverlessdeploymentbuck\*\/\*/,
    );
  });
});
