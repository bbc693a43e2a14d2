import { XMLParser } from "fast-xml-parser";
import { AwsError } from "./errors.ts";

/** An element of a request: its text, or its children by name. */
export type XmlNode = string | { readonly [name: string]: XmlNode | readonly XmlNode[] };

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  parseTagValue: false,
  // A key may begin or end with blanks.
  trimValues: false,
  // The defaults stop at 100,000 characters: a DeleteObjects of 1000 keys with ampersands is more.
  processEntities: { enabled: true, maxExpandedLength: Infinity },
});

/**
 * Parses a request body and gives its root element.
 * @throws AwsError MalformedXML (400) where it is not well-formed.
 */
export function parseXml(body: string): XmlNode {
  let roots: Record<string, XmlNode>;
  try {
    roots = parser.parse(body, true) as Record<string, XmlNode>;
  } catch (cause) {
    throw new AwsError(
      400,
      "MalformedXML",
      `The XML you provided was not well-formed: ${(cause as Error).message}`,
    );
  }
  const root = Object.entries(roots).find(([name]) => !name.startsWith("#"));
  if (!root) throw new AwsError(400, "MalformedXML", "The XML you provided was empty");
  return root[1];
}

/** All children of that name, in order: none, one or several. */
export function childrenOf(node: XmlNode, name: string): readonly XmlNode[] {
  if (typeof node === "string") return [];
  const found = node[name];
  if (found === undefined) return [];
  return isList(found) ? found : [found];
}

/** The text of the first child of that name. */
export function textOf(node: XmlNode, name: string): string | undefined {
  const child = childrenOf(node, name)[0];
  return typeof child === "string" ? child : undefined;
}

function isList(value: XmlNode | readonly XmlNode[]): value is readonly XmlNode[] {
  return Array.isArray(value);
}

/** An element around what is already XML. */
export function element(name: string, ...content: readonly string[]): string {
  return `<${name}>${content.join("")}</${name}>`;
}

/** An element around text, escaped; nothing where there is no text. */
export function textElement(name: string, text: string | number | boolean | undefined): string {
  return text === undefined ? "" : element(name, escape(String(text)));
}

/** An answer of S3: the root element in its namespace. */
export function s3Document(root: string, ...content: readonly string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content.join("")}</${root}>`;
}

/** An error of S3, which has no namespace. */
export function errorDocument(error: AwsError, resource: string, requestId: string): string {
  const content = [
    textElement("Code", error.code),
    textElement("Message", error.message),
    textElement("Resource", resource),
    textElement("RequestId", requestId),
  ];
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element("Error", ...content)}`;
}

/** Control characters too: a bare carriage return would be read back as a line feed. */
function escape(text: string): string {
  return text.replace(/[<>&"'\r\n\t]/g, (character) => `&#${character.charCodeAt(0)};`);
}
