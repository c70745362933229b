// Holds a live answer against the contract's entry, field by field, and against its golden example.
//
// A golden example (tests/contract/examples/FAMILY.json) is an answer that was seen and read by a person; later answers
// must have the same fields with the same JSON types. UPDATE_EXAMPLES=1 writes what is seen now.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { root } from "./server.js";

const folder = join(root, "tests/contract");
const read = (file) => JSON.parse(readFileSync(join(folder, file), "utf8"));

function entry_of(family, method, path) {
  const found = read(`${family}.json`).find((each) => each.method === method && each.path === path);
  assert.ok(found, `the contract of ${family} has no ${method} ${path}`);
  return found;
}

/** The fields that the entry demands of an answer: {name: type as the contract words it, or a nested object}. */
function demanded(entry, status) {
  const { response } = entry;
  if (response.body !== undefined) return response.status === status ? response.body : {};
  return response[String(status)] ?? {};
}

/** What the contract's wording of a type allows; nothing said: anything. */
function types_of(wording) {
  const text = String(wording?.type ?? wording).toLowerCase();
  const words = [
    [/^(bool|true|false)/, "boolean"],
    [/^(int|float|number|\d)/, "number"],
    [/\[\]|\[\d\]|^(array|list)/, "array"],
    [/^(object|\{)/, "object"],
    [/^(str|uuid|rfc3339|iso|enum|literal|url)/, "string"],
  ];
  const found = words.filter(([pattern]) => pattern.test(text)).map(([, type]) => type).slice(0, 1);
  return found.length === 0 || /null|optional/.test(text) ? [...found, ...(found.length ? ["null"] : [])] : found;
}

const type_of = (value) => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);

/** @param differing what differs from the contract on purpose: {path of the field: its type} */
function check_value(wording, value, where, differing) {
  const is_nested = type_of(wording) === "object" && wording.type === undefined;
  if (Array.isArray(wording)) {
    assert.equal(type_of(value), "array", where);
    if (type_of(wording[0]) === "object") for (const item of value) check_fields(wording[0], item, `${where}[]`, differing);
  } else if (is_nested) {
    check_fields(wording, value, where, differing);
  } else {
    const own = differing[where.slice(where.indexOf(".") + 1)];
    const allowed = own ? [own] : types_of(wording);
    if (allowed.length) assert.ok(allowed.includes(type_of(value)), `${where} is ${type_of(value)}, not ${allowed}`);
  }
}

function check_fields(fields, value, where, differing) {
  for (const [name, wording] of Object.entries(fields)) {
    if (name.startsWith("_") || name.startsWith("<")) continue; // a variant or a remark
    if (name === "[]") {
      assert.equal(type_of(value), "array", where);
      for (const item of value) check_fields(wording, item, `${where}[]`, differing);
    } else {
      const steps = name.replace(/\(\d+\)$/, "").split(".");
      const found = steps.reduce((inner, step) => inner?.[step], value);
      const may_miss = /optional/.test(JSON.stringify(wording));
      if (found === undefined && may_miss) continue;
      assert.notEqual(found, undefined, `${where}.${name} is missing`);
      check_value(wording, found, `${where}.${name}`, differing);
    }
  }
}

/** The same answer with its types in place of its values; of a list, its first item. */
function outline(value) {
  if (Array.isArray(value)) return value.slice(0, 1).map(outline);
  if (type_of(value) !== "object") return type_of(value);
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, outline(value[key])]));
}

/** Null where the example has a value, or a value where it has null, is the same field. */
function check_outline(golden, seen, where) {
  if (golden === "null" || seen === "null") return;
  assert.equal(type_of(seen), type_of(golden), where);
  if (type_of(golden) === "array") {
    if (golden.length && seen.length) check_outline(golden[0], seen[0], `${where}[]`);
  } else if (type_of(golden) === "object") {
    assert.deepEqual(Object.keys(seen), Object.keys(golden), `${where}: other fields than in the example`);
    for (const key of Object.keys(golden)) check_outline(golden[key], seen[key], `${where}.${key}`);
  } else {
    assert.equal(seen, golden, where);
  }
}

/** Tokens of servers that are gone are no secrets, but look like some. */
const without_secrets = (text) =>
  text.replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, "eyJ…").replaceAll(/[\w-]{43,}/g, "…");

function check_example(family, name, answer) {
  const file = join(folder, "examples", `${family}.json`);
  const examples = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  const seen = { status: answer.status, body: answer.body ?? null };
  if (process.env.UPDATE_EXAMPLES) {
    mkdirSync(join(folder, "examples"), { recursive: true });
    examples[name] = JSON.parse(without_secrets(JSON.stringify(seen)));
    const sorted = Object.fromEntries(Object.entries(examples).sort(([a], [b]) => (a < b ? -1 : 1)));
    return writeFileSync(file, JSON.stringify(sorted, null, 2) + "\n");
  }
  assert.ok(examples[name], `${family}: no example of ${name}; look at the answer, then UPDATE_EXAMPLES=1`);
  assert.equal(seen.status, examples[name].status, name);
  check_outline(outline(examples[name].body), outline(seen.body), name);
}

/**
 * The answer to `method path` (as the contract writes it) is what the contract and its golden example say.
 * @param differing fields that have another type on purpose, where a ruling says so: {"items[].id": "string"}
 */
export function assert_as_agreed(family, method, path, answer, differing = {}) {
  const entry = entry_of(family, method, path);
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
  check_fields(demanded(entry, answer.status), answer.body, `${method} ${path}`, differing);
  check_example(family, `${method} ${path}`, answer);
  return answer;
}
