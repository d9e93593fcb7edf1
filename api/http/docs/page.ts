/** The API's description as one page: plain HTML with its style inside, and no script at all. */
import { createHash } from 'node:crypto';
import { viewChatEvents } from './chat-events.js';
import { ApiDocument, type Operation } from './document.js';
import { html, nothing, trusted, type Html } from './html.js';
import { anchorOf, viewFields, viewType } from './schemas.js';
import { STYLE } from './style.js';

const STYLE_TAG = trusted(`<style>${STYLE}</style>`); // the hash covers every space in it
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Source: contract, decision 14: nothing from elsewhere, nothing `unsafe`. */
export const DOCS_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${STYLE_HASH}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** @param document OpenAPI 3.1, as `describeApi` makes it */
export function viewDocs(document: unknown): string {
  const { info, paths, components } = ApiDocument.parse(document);
  const entries = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ path, method, operation })),
  );
  const tags = [...new Set(entries.flatMap(({ operation }) => operation.tags))];
  const sections = tags.map((tag) => ({
    tag,
    entries: entries.filter(({ operation }) => operation.tags.includes(tag)),
  }));
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${info.title} API</title>
        ${STYLE_TAG}
      </head>
      <body>
        <header>
          <h1>${info.title} API <span class="dim">${info.version}</span></h1>
          <p>${info.description} <a href="openapi.json">As OpenAPI 3.1</a></p>
          <p>
            Where signing in is needed, send
            <code>Authorization: Bearer &lt;access token&gt;</code> (from register or login) or
            <code>X-API-Key: sk-…</code>. The chat is a WebSocket:
            <code>/api/v1/ws/chat/{conversation_id}?token=&lt;access token&gt;</code>.
          </p>
        </header>
        <nav aria-label="Sections">
          <ul>
            ${tags.map((tag) => html`<li><a href="#${tag}">${tag}</a></li>`)}
            <li><a href="#chat-events">chat events</a></li>
            <li><a href="#schemas">schemas</a></li>
          </ul>
        </nav>
        <main>
          ${sections.map(viewSection)} ${viewChatEvents()}
          <h2 id="schemas">schemas</h2>
          ${Object.entries(components.schemas).map(
            ([name, schema]) =>
              html`<details open id="${anchorOf(name)}">
                <summary><strong>${name}</strong></summary>
                <div>${viewFields(schema)}</div>
              </details>`,
          )}
        </main>
      </body>
    </html>`;
  return page.html;
}

interface Entry {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
}

function viewSection({ tag, entries }: { tag: string; entries: readonly Entry[] }): Html {
  return html`<h2 id="${tag}">${tag}</h2>
    ${entries.map(viewOperation)}`;
}

function viewOperation({ path, method, operation }: Entry): Html {
  const { summary, security, parameters, requestBody, responses } = operation;
  return html`<details>
    <summary>
      <span class="method">${method.toUpperCase()}</span> <span class="path">${path}</span>
      <span class="dim">${viewProse(summary)}</span>
    </summary>
    <div>
      <p>${security.length > 0 ? 'Needs signing in.' : 'Open to everybody.'}</p>
      ${
        parameters.length === 0
          ? nothing
          : html`<h4>Parameters</h4>
              ${viewParameters(parameters)}`
      }
      ${
        requestBody === undefined
          ? nothing
          : html`<h4>Body</h4>
              ${viewContent(requestBody)}`
      }
      <h4>Answers</h4>
      ${viewResponses(responses)}
    </div>
  </details>`;
}

/** A sentence with `code` in it. */
function viewProse(text: string): Html {
  const parts = text.split('`');
  return html`${parts.map((part, at) => (at % 2 === 0 ? html`${part}` : html`<code>${part}</code>`))}`;
}

function viewParameters(parameters: Operation['parameters']): Html {
  const rows = parameters.map(
    (parameter) =>
      html`<tr>
        <td><code>${parameter.name}</code></td>
        <td>in the ${parameter.in}</td>
        <td>${viewType(parameter.schema)}</td>
        <td>${parameter.required ? 'always' : 'optional'}</td>
        <td>${viewProse(parameter.schema.description ?? '')}</td>
      </tr>`,
  );
  return html`<table>
    ${rows}
  </table>`;
}

function viewResponses(responses: Operation['responses']): Html {
  const rows = Object.entries(responses).map(
    ([status, response]) =>
      html`<tr>
        <td><code>${status}</code></td>
        <td>${viewProse(response.description)}</td>
        <td>${response.content === undefined ? 'no body' : viewContent(response)}</td>
      </tr>`,
  );
  return html`<table>
    ${rows}
  </table>`;
}

function viewContent({ content = {} }: { content?: Operation['responses'][string]['content'] }) {
  return Object.entries(content).map(([type, { schema }]) =>
    type === 'application/json' ? viewType(schema) : html`<code>${type}</code>`,
  );
}
