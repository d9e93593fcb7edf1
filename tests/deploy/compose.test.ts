/** docker-compose.yml as compose itself reads it, and the processes that it describes. */
import { randomBytes, createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import {
  readFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { createSigner } from '../../audit/signing.js';
import { CollectorEnvironment } from '../../config/collector-config.js';
import { Environment } from '../../config/settings.js';
import { VENDORS } from '../../domain/agents/models.js';
import { findFreePort } from '../../scripts/embedded/ports.js';
import { runCommand } from '../support/command.js';
import { describeWith, findProgram, type NeededTool } from '../support/needed-tool.js';
import { register } from '../support/person.js';
import { startProcess, type ProductProcess } from '../support/product.js';
import { createTestDb, testServers, type TestDb } from '../support/servers.js';
import { GO_FOLDERS } from '../../scripts/embedded/temporal-programs.js';

const SOURCE = resolve(import.meta.dirname, 'compose-reader');
const TOOLS = resolve(process.env['AGENTFORGE_HOME'] ?? '.agentforge', 'tools');
const COMPOSE_FILE = resolve('docker-compose.yml');
const MAX_BYTES = 10_000_000;
const runFile = promisify(execFile);

const GO: NeededTool = {
  program: findProgram('go', GO_FOLDERS),
  cure: "Install Go, so that compose's own parser can be built: apt-get install golang-go",
};

const Service = z.object({
  image: z.string(),
  command: z.array(z.string()).nullish(),
  user: z.string().optional(),
  environment: z.record(z.string(), z.string().nullable()).default({}),
  ports: z.array(z.object({ host_ip: z.string().optional(), target: z.number() })).default([]),
  networks: z.record(z.string(), z.unknown()).default({}),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  restart: z.string(),
  read_only: z.boolean().default(false),
  cap_drop: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
});
type ComposeService = z.infer<typeof Service>;

const Project = z.object({
  services: z.record(z.string(), Service),
  networks: z.record(z.string(), z.object({ internal: z.boolean().default(false) })),
});
type ComposeProject = z.infer<typeof Project>;

/** Reads the file with nothing but these variables. @throws what compose would say */
async function readCompose(
  go: string,
  variables: Readonly<Record<string, string>>,
): Promise<ComposeProject> {
  const reader = await buildReader(go);
  const folder = mkdtempSync(join(tmpdir(), 'compose-'));
  try {
    const file = join(folder, '.env');
    const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(file, lines.join(''));
    const { stdout } = await runFile(reader, [COMPOSE_FILE, file], { maxBuffer: MAX_BYTES });
    return Project.parse(JSON.parse(stdout));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const BUILD_LIMIT_MS = 5 * 60_000;

/** Once per state of its source: building takes half a minute. @returns the program */
async function buildReader(go: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of ['main.go', 'go.mod', 'go.sum']) {
    hash.update(readFileSync(join(SOURCE, name)));
  }
  const program = join(TOOLS, `compose-reader-${hash.digest('hex').slice(0, 12)}`);
  if (!existsSync(program)) {
    mkdirSync(TOOLS, { recursive: true });
    const partial = `${program}.${process.pid}`;
    await runFile(go, ['build', '-o', partial, '.'], { cwd: SOURCE, timeout: BUILD_LIMIT_MS });
    renameSync(partial, program);
  }
  return program;
}

/** What a service's process finds in its environment: an unset variable is not there at all. */
function environmentOf(service: ComposeService): Record<string, string> {
  return Object.fromEntries(
    Object.entries(service.environment).flatMap(([name, value]) =>
      value === null ? [] : [[name, value]],
    ),
  );
}

const SECRETS = {
  SECRET_KEY: randomBytes(32).toString('hex'),
  ENCRYPTION_KEY: randomBytes(32).toString('base64'),
  AUDIT_SIGNING_KEY: randomBytes(32).toString('base64'),
  COLLECTOR_SECRET: randomBytes(32).toString('hex'),
  POSTGRES_PASSWORD: randomBytes(24).toString('hex'),
  TEMPORAL_POSTGRES_PASSWORD: randomBytes(24).toString('hex'),
  REDIS_PASSWORD: randomBytes(24).toString('hex'),
  COLLECTOR_REDIS_PASSWORD: randomBytes(24).toString('hex'),
};
const AUDIT_PUBLIC_KEY = createSigner(Buffer.from(SECRETS.AUDIT_SIGNING_KEY, 'base64')).publicKey;
const VENDOR_KEYS = { OPENAI_API_KEY: 'sk-of-openai', GOOGLE_API_KEY: 'AIza-of-google' };
const OURS = ['backend', 'worker', 'data-collector', 'migrate'] as const;
const BUILDS_WITHIN_MS = 5 * 60_000;

describeWith(GO, 'docker-compose.yml', (go) => {
  let project: ComposeProject;
  beforeAll(async () => {
    project = await readCompose(go, { ...SECRETS, AUDIT_PUBLIC_KEY, SIMULATED_MODELS: 'true' });
  }, BUILDS_WITHIN_MS);

  function service(name: string): ComposeService {
    const found = project.services[name];
    if (found === undefined) {
      throw new Error(`no service ${name}`);
    }
    return found;
  }

  test('describes the whole product', () => {
    expect(Object.keys(project.services).sort()).toEqual([
      'backend',
      'data-collector',
      'db',
      'grafana',
      'migrate',
      'prometheus',
      'redis',
      'temporal',
      'temporal-namespace',
      'temporal-schema',
      'temporal-ui',
      'worker',
    ]);
  });

  test.each(Object.keys(SECRETS))(
    'is refused without %s, by name and with the cure',
    async (name) => {
      const reading = readCompose(go, { ...SECRETS, AUDIT_PUBLIC_KEY, [name]: '' });
      await expect(reading).rejects.toThrow(`set ${name} in .env (openssl rand -`);
    },
  );

  test('says how the installation of an earlier release gets what it lacks', async () => {
    await expect(readCompose(go, SECRETS)).rejects.toThrow(
      'set AUDIT_PUBLIC_KEY in .env (deploy/compose/secrets.sh adds it)',
    );
  });

  test('gives each process its own secrets alone', async () => {
    const { services } = await readCompose(go, { ...SECRETS, ...VENDOR_KEYS, AUDIT_PUBLIC_KEY });
    const secretsOf = (name: string): readonly string[] => {
      const environment = JSON.stringify(services[name]?.environment);
      return Object.entries({ ...SECRETS, ...VENDOR_KEYS })
        .filter(([, secret]) => environment.includes(secret))
        .map(([secret]) => secret)
        .sort();
    };
    const stores = ['ENCRYPTION_KEY', 'POSTGRES_PASSWORD', 'REDIS_PASSWORD'];
    expect(secretsOf('backend')).toEqual([...stores, 'SECRET_KEY']);
    expect(services['backend']?.environment['SERVER_MODEL_KEYS']).toBe('openai,google,');
    expect(secretsOf('worker')).toEqual(
      ['AUDIT_SIGNING_KEY', 'COLLECTOR_SECRET', ...Object.keys(VENDOR_KEYS), ...stores].sort(),
    );
    expect(secretsOf('data-collector')).toEqual(['COLLECTOR_REDIS_PASSWORD', 'COLLECTOR_SECRET']);
    expect(secretsOf('redis')).toEqual(['COLLECTOR_REDIS_PASSWORD', 'REDIS_PASSWORD']);
    expect(secretsOf('migrate')).toEqual(['POSTGRES_PASSWORD']);
  });

  test('opens ports to this machine alone', () => {
    const ports = Object.values(project.services).flatMap((it) => it.ports);
    expect(ports.map(({ target }) => target).sort()).toEqual([3000, 8000, 8233, 9090]);
    expect(ports.every(({ host_ip: address }) => address === '127.0.0.1')).toBe(true);
  });

  test('checks the health of all long-running services, and starts each after what it needs', () => {
    const services = Object.entries(project.services);
    const jobs = services.filter(([, { restart }]) => restart === 'on-failure');
    expect(jobs.map(([name]) => name).sort()).toEqual([
      'migrate',
      'temporal-namespace',
      'temporal-schema',
    ]);
    for (const [name, { healthcheck, restart, depends_on: needs }] of services) {
      expect([name, healthcheck !== undefined]).toEqual([name, restart !== 'on-failure']);
      for (const [needed, { condition }] of Object.entries(needs)) {
        const ends = service(needed).restart === 'on-failure';
        expect(condition).toBe(ends ? 'service_completed_successfully' : 'service_healthy');
      }
    }
    for (const name of ['backend', 'worker']) {
      expect(Object.keys(service(name).depends_on)).toEqual(
        expect.arrayContaining(['migrate', 'temporal-namespace', 'redis']),
      );
    }
  });

  test.each(OURS)('gives %s no more than it needs of the machine', (name) => {
    expect(service(name)).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
  });

  test('lets the collector reach no database', () => {
    const mine = Object.keys(service('data-collector').networks);
    const reachable = Object.keys(project.services).filter((name) =>
      Object.keys(service(name).networks).some((network) => mine.includes(network)),
    );
    expect(reachable.sort()).toEqual(['data-collector', 'prometheus', 'redis', 'worker']);
    expect(project.networks['stores']?.internal).toBe(true);
  });

  test('passes on every setting of the product', () => {
    // where Temporal is, which is fixed here; and one version of workers at a time
    const ways = [
      'TEMPORAL_NAMESPACE',
      'TEMPORAL_TASK_QUEUE',
      /^TEMPORAL_(?:TLS|API_KEY|DEPLOYMENT|WORKER)/,
    ];
    const passed = (names: string[]) => names.flatMap((it) => Object.keys(service(it).environment));
    const missing = Object.keys(Environment.shape)
      .filter((name) => !ways.some((way) => name.match(way)))
      .filter((name) => !passed(['backend', 'worker']).includes(name));
    expect(missing).toEqual([]);
    expect(passed(['data-collector']).sort()).toEqual(
      Object.keys(CollectorEnvironment.shape).sort(),
    );
  });

  test('gives the workers every vendor’s key, and the API the names of those that are set', () => {
    const text = readFileSync('docker-compose.yml', 'utf8');
    for (const vendor of VENDORS) {
      const key = `${vendor.toUpperCase()}_API_KEY`;
      expect(Object.keys(service('worker').environment)).toContain(key);
      expect(Object.keys(service('backend').environment)).not.toContain(key);
      expect(text).toContain(`\${${key}:+${vendor},}`);
    }
  });

  describe('the processes that it describes, with exactly its environment', () => {
    let place: TestDb;
    let ports: Record<'backend' | 'worker' | 'sdk' | 'collector' | 'ui', string>;
    const running = new Map<string, ProductProcess>();

    beforeAll(async () => {
      place = await createTestDb();
      await emptied(place);
      const [backend, worker, sdk, collector, ui] = await Promise.all(
        Array.from({ length: 5 }, async () => String(await findFreePort())),
      );
      ports = { backend, worker, sdk, collector, ui } as typeof ports;
    });
    afterAll(async () => {
      await Promise.all([...running.values()].map((it) => it.stop()));
      await place.drop();
    });

    /** Names that only mean something inside compose, and the ports of this machine. */
    function here(text: string): string {
      const { redisUrl, collectorRedisUrl, temporalAddress } = testServers();
      const database = `postgresql+asyncpg://agentforge:${SECRETS.POSTGRES_PASSWORD}@db:5432/agentforge`;
      return text
        .replace(database, place.url)
        .replace(`redis://agentforge:${SECRETS.REDIS_PASSWORD}@redis:6379/0`, redisUrl)
        .replace(
          `redis://collector:${SECRETS.COLLECTOR_REDIS_PASSWORD}@redis:6379/0`,
          collectorRedisUrl,
        )
        .replace('temporal:7233', temporalAddress)
        .replace('0.0.0.0', '127.0.0.1')
        .replace('data-collector', '127.0.0.1')
        .replace('//worker:', '//127.0.0.1:')
        .replace(/\b8000\b/, ports.backend)
        .replace(/\b8001\b/, ports.collector)
        .replace(/\b8233\b/, ports.ui)
        .replace(/\b9464\b/, ports.worker)
        .replace(/\b9465\b/, ports.sdk);
    }

    function environment(name: string): Record<string, string> {
      const environment = Object.entries(environmentOf(service(name)));
      const mapped = environment.map(([key, value]) => [key, here(value)]);
      return { PATH: process.env['PATH'] ?? '', ...Object.fromEntries(mapped) };
    }

    function start(name: string): ProductProcess {
      const entry = service(name).command?.[1]?.replace('dist/', '') as 'api/main.js';
      const started = startProcess(entry, environment(name));
      running.set(name, started);
      return started;
    }

    /** Runs a service's health check. @returns whether it counts as healthy */
    function isHealthy(name: string): Promise<boolean> {
      const [, , ...words] = service(name).healthcheck?.test ?? [];
      return new Promise((resolve) => {
        execFile(process.execPath, words.map(here), (error) => {
          resolve(error === null);
        });
      });
    }

    test('bring up an empty database, become healthy, and answer', async () => {
      const migrate = service('migrate').command?.slice(1) ?? [];
      const [script = '', ...words] = migrate;
      const { code, output } = await runCommand(
        script.replace('dist/scripts/', ''),
        words,
        environment('migrate'),
      );
      expect([code, output]).toEqual([0, expect.stringContaining('now up to date')]);

      expect(await isHealthy('worker')).toBe(false);
      const services = ['backend', 'worker', 'data-collector'];
      const [backend, worker, collector] = services.map(start);
      await backend?.sees('api ready');
      await worker?.sees('worker ready');
      await collector?.sees('collector ready');
      expect(await Promise.all(services.map(isHealthy))).toEqual([true, true, true]);

      const person = await register(`http://127.0.0.1:${ports.backend}`);
      const chat = await person.chat(await person.startConversation());
      await chat.say('Compare three podcast apps and write a report');
      expect((await chat.say('ok, take option 1')).type).toBe('pipeline_result');
      await chat.close();
    });

    test('show what they and the SDK measure', async () => {
      const page = async (port: string) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      expect(await page(ports.backend)).toContain('llm_requests_total{');
      expect(await page(ports.sdk)).toContain('temporal_worker_task_slots_available{');
    });

    test('are unhealthy once they take no more work', async () => {
      expect(await running.get('worker')?.stop()).toBe(0);
      expect(await isHealthy('worker')).toBe(false);
    });
  });
});

async function emptied({ db }: TestDb): Promise<void> {
  await db.schema.dropSchema('public').cascade().execute();
  await db.schema.createSchema('public').execute();
}
