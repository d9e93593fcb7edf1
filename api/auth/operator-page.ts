/** The page on which administrators sign in to the Temporal Web UI, and let it read payloads. */
import { createHash } from 'node:crypto';
import { html, trusted } from '../http/docs/html.js';
import { STYLE } from '../http/docs/style.js';

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
const out = document.querySelector('#out');
const next = new URLSearchParams(location.search).get('next') ?? '';
const isHere = /^\\/(?![/\\\\])[^\\t\\n\\r]*$/.test(next);
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
  if (!session.ok) return detailOf(session);
  out.hidden = false;
  if (isHere) location.replace(next);
  return 'Signed in for eight hours. ' + (isHere ? 'The Web UI opens …' : 'You can close this page.');
};
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  said.textContent = 'Signing in …';
  said.textContent = await signIn().catch(() => 'The API does not answer.');
});
out.addEventListener('click', async () => {
  await fetch('session', { method: 'DELETE' });
  out.hidden = true;
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

/** @param isSignedIn whether there is a session that "Sign out" could end */
export function viewSignIn(isSignedIn: boolean): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>AgentForge: sign in to the Temporal Web UI</title>
        ${trusted(`<style>${FORM_STYLE}</style>`)}
      </head>
      <body>
        <h1>Temporal Web UI</h1>
        <p>
          For administrators (<code>npm run user:role -- ada@example.com admin</code> makes the
          first one): payloads are readable for them, and for no others.
        </p>
        <form>
          <label>E-mail <input name="email" type="email" autocomplete="username" required /></label>
          <label
            >Password
            <input name="password" type="password" autocomplete="current-password" required
          /></label>
          <button>Sign in</button>
          <button id="out" type="button" ${isSignedIn ? '' : 'hidden'}>Sign out</button>
        </form>
        <output role="status"></output>
        ${trusted(`<script>${SCRIPT}</script>`)}
      </body>
    </html>`.html;
}
