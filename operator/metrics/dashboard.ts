import { DASHBOARD_ROWS } from './dashboard-panels.ts';
import type { PanelSpec } from './dashboard-panels.ts';

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const WIDTH = 24;
const ROW_HEIGHT = 1;

function variable(name: string, query: string) {
  return {
    name,
    label: name,
    type: 'query',
    datasource: DATASOURCE,
    definition: query,
    query: { query, refId: name },
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { selected: true, text: ['All'], value: ['$__all'] },
  };
}

const VARIABLES = [
  { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', current: {} },
  variable('namespace', 'label_values(cdsp_experiment_info, namespace)'),
  variable('experiment', 'label_values(cdsp_experiment_info{namespace=~"$namespace"}, experiment)'),
];

/** A table is one row for each set of labels: the queries' values are its last columns, under the names of their legends. */
function tableTransformations({ targets }: PanelSpec) {
  const values = targets.map(([, legend], i) => [targets.length === 1 ? 'Value' : `Value #${refId(i)}`, legend] as const);
  const shown = values.filter(([, legend]) => legend !== '');
  const hidden = values.filter(([, legend]) => legend === '').map(([name]) => [name, true] as const);
  return [
    { id: 'merge', options: {} },
    {
      id: 'organize',
      options: { excludeByName: Object.fromEntries<boolean>([['Time', true], ...hidden]), renameByName: Object.fromEntries(shown) },
    },
  ];
}

const refId = (i: number): string => String.fromCharCode('A'.charCodeAt(0) + i);

function buildPanel(spec: PanelSpec, id: number, gridPos: object) {
  const { title, description, type = 'timeseries', unit = 'short', targets, min, max } = spec;
  const isTable = type === 'table';
  return {
    id,
    title,
    description,
    type,
    gridPos,
    datasource: DATASOURCE,
    fieldConfig: { defaults: { unit, ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) }, overrides: [] },
    options:
      type === 'timeseries' ? { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } } : {},
    ...(isTable ? { transformations: tableTransformations(spec) } : {}),
    targets: targets.map(([expr, legendFormat], i) => ({
      refId: refId(i),
      datasource: DATASOURCE,
      expr,
      legendFormat,
      ...(isTable ? { instant: true, format: 'table' } : type === 'stat' ? { instant: true } : { range: true }),
    })),
  };
}

/** Rows of panels, left to right, one below the other. */
function buildPanels() {
  const panels: object[] = [];
  let y = 0;
  for (const { title, height, columns, panels: specs } of DASHBOARD_ROWS) {
    panels.push({ id: panels.length + 1, type: 'row', title, collapsed: false, panels: [], gridPos: { x: 0, y, w: WIDTH, h: ROW_HEIGHT } });
    y += ROW_HEIGHT;
    const w = WIDTH / columns;
    specs.forEach((spec, i) => {
      const place = { x: w * (i % columns), y: y + height * Math.floor(i / columns), w, h: height };
      panels.push(buildPanel(spec, panels.length + 1, place));
    });
    y += height * Math.ceil(specs.length / columns);
  }
  return panels;
}

/** The Grafana dashboard of the chart, as Grafana 10 and later import it. */
export function buildDashboard() {
  return {
    uid: 'cdsp-experiments',
    title: 'CDSP experiments',
    description: 'Experiments of the CDSP operator, and the operator itself.',
    tags: ['cdsp'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    timezone: 'browser',
    templating: { list: VARIABLES },
    annotations: { list: [] },
    panels: buildPanels(),
  };
}
