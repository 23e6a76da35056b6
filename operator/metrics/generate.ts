// Writes the chart's Grafana dashboard; a test compares it with what is committed.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildDashboard } from './dashboard.ts';

const FILE = fileURLToPath(new URL('../../helm/cdsp/files/dashboards/cdsp.json', import.meta.url));
writeFileSync(FILE, `${JSON.stringify(buildDashboard(), null, 2)}\n`);
