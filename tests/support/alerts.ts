/** The alert rules and the dashboards, as they are in deploy/. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

export const ALERTS_FILE = 'deploy/prometheus/alerts.yml';
const DASHBOARDS = 'deploy/grafana/dashboards';

const Alert = z.strictObject({
  alert: z.string().regex(/^AgentForge[A-Z]/),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.strictObject({
    severity: z.enum(['critical', 'warning']),
    question: z.enum(['up', 'slow', 'failing', 'spending']),
  }),
  annotations: z.strictObject({ summary: z.string(), runbook: z.string() }),
});
export type Alert = z.infer<typeof Alert>;
const AlertsFile = z.object({
  groups: z.array(z.object({ name: z.string(), rules: z.array(Alert) })),
});

export function readAlerts(): readonly Alert[] {
  const { groups } = AlertsFile.parse(parse(readFileSync(ALERTS_FILE, 'utf8')));
  return groups.flatMap(({ rules }) => rules);
}

const Panel = z.object({
  type: z.string(),
  title: z.string(),
  targets: z.array(z.object({ expr: z.string() })).default([]),
});
const Dashboard = z.object({ uid: z.string(), title: z.string(), panels: z.array(Panel) });

export interface PanelQuery {
  readonly panel: string;
  readonly expr: string;
}

/** Every query of every panel of every dashboard. */
export function readPanelQueries(): readonly PanelQuery[] {
  return readdirSync(DASHBOARDS).flatMap((file) => {
    const text = readFileSync(join(DASHBOARDS, file), 'utf8');
    const { panels } = Dashboard.parse(JSON.parse(text));
    return panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({ panel: title, expr })),
    );
  });
}
