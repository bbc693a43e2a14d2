/** What went wrong, as the one line that a person reads. */
import { UsageError } from "./options.ts";
import { StageError } from "./stage.ts";

/** @param help what to type for what there is */
export function inWords(error: unknown, help: string): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof UsageError)
    return `${error.message}${error.message.endsWith("?") ? "" : ";"} \`${help}\` says what there is`;
  const advice = adviceOn(error);
  const message = advice === undefined ? error.message : `${error.message}; ${advice}`;
  return error instanceof StageError ? message : `${error.name}: ${message}`;
}

/** What to do where it is the way to AWS that fails, whoever was asked; undefined where it is not. */
function adviceOn(error: Error): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if (Object.hasOwn(ADVICE, at.name)) return ADVICE[at.name];
    else if ((at as { code?: unknown }).code === "ENOTFOUND" && /amazonaws\.com/.test(at.message))
      return "check the region (--region) and the network";
  return undefined;
}

const SIGN_IN = "sign in again: `aws sso login`, or `aws configure`; AWS_PROFILE names others";

/** By the name of the error. */
const ADVICE: Readonly<Record<string, string>> = {
  CredentialsProviderError: "`aws configure` makes credentials, AWS_PROFILE=NAME names others",
  ExpiredToken: SIGN_IN,
  ExpiredTokenException: SIGN_IN,
  InvalidAccessKeyId: SIGN_IN,
  InvalidClientTokenId: SIGN_IN,
  InvalidSignatureException: SIGN_IN,
  SignatureDoesNotMatch: SIGN_IN,
  TokenProviderError: SIGN_IN,
  UnrecognizedClientException: SIGN_IN,
};
