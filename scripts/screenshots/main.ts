/**
 * `npm run docs:screenshots`: the pictures of docs/operators.md, taken in a real browser of the real
 * Web UI, of runs of the built product; an administrator signs in on the way.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { pipelineWorkflowId } from '../../domain/ids.js';
import { startStandInVendors } from '../../tests/support/vendors/server.js';
import { openBrowser, type Page } from './browser.js';
import { ROOT, startProduct, type Somebody, type StartedProduct } from './product.js';
import { behaviourOf, PICTURES, startRun, type Picture } from './runs.js';

const FOLDER = join(ROOT, 'docs/images');

async function takePictures(): Promise<void> {
  const vendors = await startStandInVendors();
  vendors.setBehaviour((call) => behaviourOf(call, vendors.calls));
  const product = await startProduct({
    SIMULATED_MODELS: 'false',
    OPENAI_API_KEY: 'sk-stand-in',
    OPENAI_BASE_URL: vendors.openAiUrl,
    DEFAULT_LLM_PROVIDER: 'openai',
    DEFAULT_LLM_MODEL: 'gpt-4o',
  });
  const browser = await openBrowser();
  try {
    const { page } = browser;
    await signIn(page, product, await product.register('admin'));
    for (const picture of PICTURES) {
      const owner = await product.register('pro'); // a run that goes on keeps its owner's slot
      const id = await startRun(owner, vendors, picture);
      await openRun(page, product, { id, words: WORDS[picture] });
      await keep(page, picture);
    }
    await openList(page, product);
    await keep(page, 'list');
  } finally {
    await browser.close();
    await product.stop();
    await vendors.close();
  }
}

/** The Web UI leads to the sign-in page, and that one back. */
async function signIn(
  page: Page,
  { uiUrl }: StartedProduct,
  { email, password }: Somebody,
): Promise<void> {
  await page.goto(uiUrl);
  await page.until('the form', `document.querySelector('form')`);
  await keep(page, 'sign-in');
  await page.evaluate(`
    document.querySelector('[name=email]').value = ${JSON.stringify(email)};
    document.querySelector('[name=password]').value = ${JSON.stringify(password)};
    document.querySelector('form').requestSubmit()`);
  await page.until('the Web UI', `location.pathname.startsWith('/namespaces')`);
}

/** What a picture has to show. */
const WORDS: Readonly<Record<Picture, string>> = {
  finished: 'Ended: completed',
  failed: 'Ended: failed',
  waiting: 'Ask its owner to decide',
  running: 'writer at work',
  failing: 'Attempt 3 failed',
};

async function openRun(
  page: Page,
  { uiUrl }: StartedProduct,
  { id, words }: { readonly id: string; readonly words: string },
): Promise<void> {
  await page.goto(`${uiUrl}/namespaces/default/workflows/${pipelineWorkflowId(id)}`);
  await page.until('the tab', TAB);
  await page.evaluate(`${TAB}.click()`);
  await page.until('what the run was started with', told(id));
  await page.until('how it stands', told(words));
}

async function openList(page: Page, { uiUrl }: StartedProduct): Promise<void> {
  const query = encodeURIComponent(`WorkflowType = 'pipelineWorkflow'`);
  await page.goto(`${uiUrl}/namespaces/default/workflows?query=${query}`);
  const ids = `new Set(document.body.innerText.match(/pipeline-[0-9a-f-]{36}/g))`;
  await page.until('all runs', `${ids}.size === ${PICTURES.length}`);
}

const TAB = `document.querySelector('[data-testid=user-metadata-tab]')`;

/** The Web UI shows Markdown in frames of its own. */
function told(words: string): string {
  const frames = `[...document.querySelectorAll('iframe')]`;
  const shown = `(frame.contentDocument?.body?.innerText ?? '')`;
  return `${frames}.some((frame) => ${shown}.includes(${JSON.stringify(words)}))`;
}

const WHOLE = { x: 240, y: 20, width: 1_000, height: 540 };
/** Without the Web UI's own menus. */
const INSIDE = { x: 270, y: 105, width: 1_210, height: 730 };
const LIST = { x: 270, y: 60, width: 1_210, height: 430 };
const MAX_BYTES = 170_000;

async function keep(page: Page, picture: Picture | 'sign-in' | 'list'): Promise<void> {
  const file = join(FOLDER, `operators-${picture}.png`);
  await page.capture(file, picture === 'sign-in' ? WHOLE : picture === 'list' ? LIST : INSIDE);
  const { size } = statSync(file);
  console.error(`${file}: ${Math.round(size / 1_000)} kB`);
  if (size > MAX_BYTES) {
    throw new Error(`${file} is larger than ${MAX_BYTES} bytes.`);
  }
}

await takePictures();
