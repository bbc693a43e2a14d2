// Least privilege: the permissions of each role are those that the calls in its function's bundle need, none missing, none more.
import { expect } from "chai";
import { bundleFunction, FUNCTIONS, type FunctionName } from "../../scripts/bundle.ts";
import { readPackaged, type Template } from "./packaged.ts";

/** What a call of the SDK asks IAM for. https://docs.aws.amazon.com/service-authorization/latest/reference/ */
const ACTION: Readonly<Record<string, string | null>> = {
  GetObjectCommand: "s3:GetObject",
  PutObjectCommand: "s3:PutObject",
  CreateSessionCommand: null, // for directory buckets: ours are none
  ListObjectsV2Command: "s3:ListBucket",
  GetSecretValueCommand: "secretsmanager:GetSecretValue",
};
/** What Lambda itself does in the role's name. */
const LAMBDAS =
  /^(logs:(CreateLogStream|PutLogEvents)|sqs:(ReceiveMessage|DeleteMessage|GetQueueAttributes))$/;

/** The commands of the SDK that are left in a function's bundle once what it does not use is shaken off. */
async function commandsOf(name: FunctionName): Promise<string[]> {
  const { metafile } = await bundleFunction(name);
  const [output] = Object.values(metafile.outputs).filter(({ entryPoint }) => entryPoint);
  return Object.entries(output!.inputs).flatMap(([file, { bytesInOutput }]) => {
    const command = /@aws-sdk\/client-[\w-]+\/dist-es\/commands\/(\w+Command)\.js$/.exec(file)?.[1];
    return command && bytesInOutput > 0 ? [command] : [];
  });
}

describe("the permissions of", () => {
  let template: Template;
  before(
    async () => (template = await readPackaged("dev", { compaction: "true", retransform: "true" })),
  );

  for (const name of FUNCTIONS)
    it(`${name} are what its bundle can ask for`, async () => {
      const commands = await commandsOf(name);
      for (const command of commands)
        expect(ACTION, `${command} is new: say what it needs`).to.have.property(command);
      const needed = new Set(
        commands.map((command) => ACTION[command]).filter((action) => action !== null),
      );
      const role = template.Resources[`${name[0]!.toUpperCase()}${name.slice(1)}Role`]!;
      const allowed = new Set(
        role.Properties["Policies"]
          .flatMap(
            (policy: any) => policy.PolicyDocument.Statement as { Action: string | string[] }[],
          )
          .flatMap(({ Action }: { Action: string | string[] }) => Action)
          .filter((action: string) => !LAMBDAS.test(action)),
      );
      expect([...allowed]).to.have.members([...needed]);
    });
});
