/** JSON schemas as people read them. */
import type { Schema } from './document.js';
import { html, joined, nothing, type Html } from './html.js';

/** One line: `text, 1–255 characters`, `list of Message`, `"free" or "pro"`. */
export function viewType(schema: Schema): Html {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? '';
    return html`<a href="#${anchorOf(name)}">${name}</a>`;
  }
  if (schema.anyOf !== undefined) {
    return joined(schema.anyOf.map(viewType), ' or ');
  }
  const values = schema.enum ?? (schema.const === undefined ? null : [schema.const]);
  if (values !== null) {
    return joined(
      values.map((value) => html`<code>${JSON.stringify(value)}</code>`),
      ' or ',
    );
  }
  if (schema.type === 'array') {
    return html`list of ${schema.items === undefined ? html`anything` : viewType(schema.items)}`;
  }
  return html`${[nameOf(schema), ...limitsOf(schema)].join(', ')}`;
}

/** A table of an object's fields; its type in one line where it is none. */
export function viewFields(schema: Schema): Html {
  const fields = Object.entries(schema.properties ?? {});
  if (fields.length === 0) {
    return html`<p>${viewType(schema)}</p>`;
  }
  const rows = fields.map(
    ([name, field]) =>
      html`<tr>
        <td><code>${name}</code></td>
        <td>${viewType(field)}${defaultOf(field)}</td>
        <td>${schema.required.includes(name) ? 'always' : 'optional'}</td>
      </tr>`,
  );
  return html`<table>
    <tr>
      <th scope="col">Field</th>
      <th scope="col">Type</th>
      <th scope="col">There</th>
    </tr>
    ${rows}
  </table>`;
}

export function anchorOf(schemaName: string): string {
  return `schema-${schemaName}`;
}

const NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'whole number',
  boolean: 'true or false',
};

function nameOf({ type, format }: Schema): string {
  const names = [type ?? 'anything'].flat().map((name) => NAMES[name] ?? name);
  return format === undefined ? names.join(' or ') : `${names.join(' or ')} (${format})`;
}

function limitsOf(schema: Schema): readonly string[] {
  const { minimum, maximum, minLength, maxLength } = schema;
  return [
    range(minimum, maximum, ''),
    range(minLength === 0 ? undefined : minLength, maxLength, ' characters'),
  ].filter((limit) => limit !== '');
}

function range(least: number | undefined, most: number | undefined, unit: string): string {
  const isOpen = most === undefined || Math.abs(most) >= Number.MAX_SAFE_INTEGER;
  const isBottomless = least === undefined || Math.abs(least) >= Number.MAX_SAFE_INTEGER;
  if (isOpen) {
    return isBottomless ? '' : `at least ${least}${unit}`;
  }
  return isBottomless ? `at most ${most}${unit}` : `${least}–${most}${unit}`;
}

function defaultOf(schema: Schema): Html {
  return schema.default === undefined
    ? nothing
    : html`, <span class="dim">else <code>${JSON.stringify(schema.default)}</code></span>`;
}
