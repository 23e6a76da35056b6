import { OperatorMetrics } from '../../../operator/metrics/operator-metrics.ts';
import { ProgressServer } from '../../../trainer-image/progress-server.ts';
import { blocked, failed, finished, LIVE, NOON, running } from './facts.ts';

/** Labels that go without saying: the buckets of a histogram. */
const IMPLIED = new Set(['le']);

/** The rows of docs/monitoring.md for the metrics in a text of Prometheus' format. */
function rowsOf(text: string): string[] {
  const lines = text.split('\n');
  return lines.flatMap((line) => {
    const [, name, help] = /^# HELP (cdsp_\w+) (.*)$/.exec(line) ?? [];
    if (name === undefined) return [];
    const type = lines.find((other) => other.startsWith(`# TYPE ${name} `))?.split(' ')[3] ?? '';
    const series = lines.filter((other) => other.startsWith(`${name}{`) || other.startsWith(`${name}_bucket{`));
    const labels = new Set(series.flatMap((other) => [...other.matchAll(/(\w+)="/g)].map(([, label]) => label)));
    const shown = [...labels].filter((label) => !IMPLIED.has(label)).map((label) => `\`${label}\``);
    return [`| \`${name}\` | ${type} | ${shown.join(', ')} | ${help} |`];
  });
}

/** Every metric of operator and trainer, as the documentation shows it. */
export async function metricRows(): Promise<string[]> {
  const metrics = new OperatorMetrics({ now: () => NOON });
  metrics.request('GET', '/api/v1/pods', 200);
  const operator = await metrics.text({ queueDepth: 0, isLeading: true, experiments: [running, blocked, failed(-5), finished(-5)] });
  const server = new ProgressServer({ experiment: 'cats', stage: 'segment', key: 'abc' });
  const port = await server.listen(0, '127.0.0.1');
  try {
    const { iou = [], classes = [], ...live } = LIVE;
    server.update({ type: 'progress', label: '', unit: 'step', ...live, terms: { lorm: 1 }, iou: [...iou], classes: [...classes] });
    const trainer = await (await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: 'close' } })).text();
    return [...rowsOf(operator), ...rowsOf(trainer)];
  } finally {
    await server.close();
  }
}
