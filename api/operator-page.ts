/** The page on which an administrator lets their Temporal Web UI read payloads. */
import { createHash } from 'node:crypto';
import { html, trusted } from './docs/html.js';
import { STYLE } from './docs/style.js';

const FORM_STYLE = `${STYLE}
form { display: grid; gap: .8rem; max-width: 24rem; }
label { display: grid; gap: .2rem; }
input, button { font: inherit; padding: .5rem .7rem; }
output { display: block; margin-top: 1rem; min-height: 1.5rem; }
`;

/** Relative addresses: the API may be behind a prefix. */
const SCRIPT = `
const form = document.querySelector('form');
const said = document.querySelector('output');
document.querySelector('#endpoint').textContent = new URL('.', location.href).href.replace(/\\/$/, '');
const post = (path, headers, body) =>
  fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body });
const detailOf = async (answer) => {
  const { detail } = await answer.json().catch(() => ({}));
  return typeof detail === 'string' ? detail : 'Not accepted (' + answer.status + ')';
};
const signIn = async () => {
  const login = await post('../auth/login', {}, JSON.stringify(Object.fromEntries(new FormData(form))));
  if (!login.ok) return detailOf(login);
  const { access_token: token } = await login.json();
  const session = await post('session', { Authorization: 'Bearer ' + token });
  return session.ok ? 'Signed in for eight hours. You can close this page.' : detailOf(session);
};
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  said.textContent = 'Signing in …';
  said.textContent = await signIn().catch(() => 'The API does not answer.');
});
document.querySelector('#out').addEventListener('click', async () => {
  await fetch('session', { method: 'DELETE' });
  said.textContent = 'Signed out.';
});
`;

const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64');

export const SIGN_IN_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${hashOf(FORM_STYLE)}'`,
  `script-src 'sha256-${hashOf(SCRIPT)}'`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function viewSignIn(): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>AgentForge: read payloads in the Temporal Web UI</title>
        ${trusted(`<style>${FORM_STYLE}</style>`)}
      </head>
      <body>
        <h1>Read payloads in the Temporal Web UI</h1>
        <p>For administrators. Without this, and for everybody else, they stay ciphertext.</p>
        <form>
          <label>E-mail <input name="email" type="email" autocomplete="username" required /></label>
          <label
            >Password
            <input name="password" type="password" autocomplete="current-password" required
          /></label>
          <button>Sign in</button>
          <button id="out" type="button">Sign out</button>
        </form>
        <output role="status"></output>
        <p>
          Once per browser: in the Web UI, open the codec settings (the glasses at the top right),
          choose your browser's setting, enter <code id="endpoint"></code> as the endpoint, and
          include cross-origin credentials. Open the Web UI under the same host name as this page.
        </p>
        ${trusted(`<script>${SCRIPT}</script>`)}
      </body>
    </html>`.html;
}
