import { CONTAINER_MESSAGES } from "./container-messages";
import { invalidPayload } from "./errors";
import { CLOUD_MESSAGES, STORAGE_MESSAGES } from "./messages";

type Message = Map<string, string>;

function parse(definitions: string): [string, Message][] {
  const messages: [string, Message][] = [];
  for (const line of definitions.split("\n")) {
    if (/^\w/.test(line)) messages.push([line.trim(), new Map()]);
    for (const field of line.startsWith(" ") ? line.trim().split(/\s+/) : []) {
      const colon = field.indexOf(":");
      messages[messages.length - 1][1].set(field.slice(0, colon), field.slice(colon + 1));
    }
  }
  return messages;
}

const MESSAGES = new Map([CONTAINER_MESSAGES, CLOUD_MESSAGES, STORAGE_MESSAGES].flatMap(parse));

const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const SCALARS: Record<string, (value: unknown) => boolean> = {
  any: () => true,
  boolean: (value) => typeof value === "boolean",
  double: (value) => typeof value === "number",
  int32: (value) => Number.isInteger(value),
  int64: (value) => Number.isInteger(value) || (typeof value === "string" && /^-?\d+$/.test(value)),
  string: (value) => typeof value === "string",
};

function checkValue(type: string, value: unknown, path: string): void {
  if (value === null) return;
  if (type.startsWith("[]")) {
    if (!Array.isArray(value)) throw wrongType(type, value, path);
    value.forEach((item, index) => checkValue(type.slice(2), item, `${path}[${index}]`));
  } else if (type.startsWith("{}")) {
    if (!isObject(value)) throw wrongType(type, value, path);
    for (const [key, item] of Object.entries(value)) checkValue(type.slice(2), item, `${path}[${key}]`);
  } else if (type.startsWith("(")) {
    if (!type.slice(1, -1).split("|").includes(String(value))) throw wrongType("enum", value, path);
  } else if (type in SCALARS) {
    if (!SCALARS[type](value)) throw wrongType(type, value, path);
  } else {
    checkMessage(type, value, path);
  }
}

function wrongType(type: string, value: unknown, path: string) {
  const expected = `TYPE_${type.replace(/\W/g, "").toUpperCase()}`;
  return invalidPayload(`Invalid value at '${path}' (${expected}), ${JSON.stringify(value)}`, path);
}

/**
 * Refuses a request body that has a field which the message lacks, or a value that is not of the field's type.
 *
 * @throws GoogleError 400 INVALID_ARGUMENT that names the field
 */
export function checkMessage(message: string, body: unknown, path = ""): void {
  const fields = MESSAGES.get(message);
  if (!fields) throw new Error(`no such request message: ${message}`);
  if (!isObject(body)) throw wrongType(message, body, path);
  for (const [name, value] of Object.entries(body)) {
    const type = fields.get(name);
    if (!type) {
      const at = path ? ` at '${path}'` : "";
      throw invalidPayload(`Unknown name "${name}"${at}: Cannot find field.`, path);
    }
    checkValue(type, value, path ? `${path}.${snakeCase(name)}` : snakeCase(name));
  }
}
