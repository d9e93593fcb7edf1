/** The manifests of deploy/kubernetes: what Kubernetes takes, and what the product needs of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { installPythonPackage, runPython } from '../../scripts/python-package.js';

const FOLDER = 'deploy/kubernetes';
const VERSION = '1.37.0';
/** Of KEDA and of Temporal's worker controller, whose schemas are not Kubernetes' own. */
const CUSTOM = ['ScaledObject', 'Connection', 'WorkerDeployment'];
const INSTALLS_WITHIN_MS = 5 * 60_000;

const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => join(FOLDER, file));

function documentsIn(file: string): readonly any[] {
  return parseAllDocuments(readFileSync(file, 'utf8')).map((document) => document.toJS());
}

const everything = files.flatMap(documentsIn);
const ofKind = (...kinds: string[]) => everything.filter(({ kind }) => kinds.includes(kind));
const workloads = ofKind('Deployment', 'Job', 'WorkerDeployment');
const containerOf = (workload: any) => workload.spec.template.spec.containers[0];

test(
  'every manifest fits the schemas of Kubernetes, strictly',
  async () => {
    const PYTHONPATH = await installPythonPackage('kubernetes-validate', VERSION);
    const words = ['-m', 'kubernetes_validate', '--strict', ...files];
    const { exitCode, report } = await runPython(words, { PYTHONPATH });
    expect([exitCode, report]).toEqual([0, expect.stringContaining('passed')]);
    const unknown = [...report.matchAll(/Couldn't find schema for kind (\w+)/g)].map(
      ([, it]) => it,
    );
    expect(unknown.sort()).toEqual([...CUSTOM].sort());
  },
  INSTALLS_WITHIN_MS,
);

test.each(workloads.map((it) => [`${it.kind} ${it.metadata.name}`, it]))(
  '%s has no right that it does not need',
  (_, workload) => {
    const { spec } = workload.spec.template;
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(containerOf(workload).securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  },
);

test('every long-running workload is probed, has time to end, and is not removed all at once', () => {
  const budgets = ofKind('PodDisruptionBudget').map(({ spec }) => spec.selector.matchLabels.app);
  for (const workload of ofKind('Deployment', 'WorkerDeployment')) {
    const { startupProbe, readinessProbe, livenessProbe } = containerOf(workload);
    expect([startupProbe, readinessProbe].every((probe) => probe?.httpGet)).toBe(true);
    expect(readinessProbe.httpGet.path).toBe('/readyz');
    expect(livenessProbe.httpGet.path).toMatch(/\/health$/); // no restart repairs a server that is away
    // a loop that is held for a moment fails no probe, one that is held for a minute the last of these
    expect(readinessProbe.timeoutSeconds).toBeGreaterThanOrEqual(5);
    expect(livenessProbe.periodSeconds * livenessProbe.failureThreshold).toBe(60);
    expect(workload.spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(20);
    expect(budgets).toContain(workload.spec.template.metadata.labels.app);
  }
});

test('workers with and without versions are the same', () => {
  const templates = workloads
    .filter(({ metadata }) => metadata.name === 'agentforge-worker')
    .map(({ spec }) => spec.template);
  expect(templates).toHaveLength(2);
  expect(templates[0]).toEqual(templates[1]);
});

test('each process is given its own secrets alone', () => {
  const secretsOf = (workload: any): readonly string[] => {
    const { env = [], envFrom = [] } = containerOf(workload);
    const named = env.flatMap((it: any) => it.valueFrom?.secretKeyRef?.name ?? []);
    const whole = envFrom.flatMap((it: any) => it.secretRef?.name ?? []);
    return [...new Set<string>([...named, ...whole])].sort();
  };
  for (const workload of workloads) {
    const { name } = workload.metadata;
    const own = name === 'agentforge-migrate' ? [] : [name];
    const shared = name === 'agentforge-collector' ? [] : ['agentforge-secrets'];
    expect(secretsOf(workload)).toEqual([...own, ...shared].sort());
  }
  expect(ofKind('Secret')).toEqual([]); // none is in the repository
});

test('only variables are set that the product reads', () => {
  const known = readFileSync('.env.example', 'utf8');
  const set = [
    ...ofKind('ConfigMap').flatMap(({ data }) => Object.keys(data)),
    ...workloads.flatMap((it) => (containerOf(it).env ?? []).map(({ name }: any) => name)),
  ];
  expect(set.filter((name) => !new RegExp(`^(?:# )?${name}=`, 'm').test(known))).toEqual([]);
});

test('the network is closed but for what is named, and the collector reaches no private address', () => {
  const policies = ofKind('NetworkPolicy').map(({ metadata, spec }) => [metadata.name, spec]);
  const { 'nothing-by-default': closed, 'around-the-collector': around } =
    Object.fromEntries(policies);
  expect(closed).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  const blocks = around.egress.flatMap(({ to }: any) => to.flatMap((it: any) => it.ipBlock ?? []));
  expect(blocks).toHaveLength(1);
  expect(blocks[0].except).toEqual(
    expect.arrayContaining(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16']),
  );
});
