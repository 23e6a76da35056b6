/** What a panel shows; Grafana's many words for it are in dashboard.ts. */
export interface PanelSpec {
  readonly title: string;
  readonly description: string;
  /** timeseries by default. */
  readonly type?: 'timeseries' | 'table' | 'stat';
  /** Grafana's word for it. */
  readonly unit?: string;
  readonly min?: number;
  readonly max?: number;
  /** Expressions with their legends; in a table the legend is the column's title, and an empty one hides it. */
  readonly targets: readonly (readonly [expr: string, legend: string])[];
}

export interface RowSpec {
  readonly title: string;
  /** In Grafana's units of about 30 pixels. */
  readonly height: number;
  readonly columns: number;
  readonly panels: readonly PanelSpec[];
}

const CHOSEN = 'namespace=~"$namespace",experiment=~"$experiment"';
/** The leader alone tells of experiments; which replica that is, and when it changed, is of no interest in a chart. */
const each = (labels: string, metric: string) =>
  `max by (namespace, experiment${labels === '' ? '' : `, ${labels}`}) (${metric}{${CHOSEN}})`;
const byStage = (metric: string) => each('stage', metric);
const STAGE_LEGEND = '{{namespace}}/{{experiment}} {{stage}}';
const ofCurrentStage = (metric: string) =>
  `max by (namespace, experiment) (${byStage(metric)} and on (namespace, experiment, stage) cdsp_experiment_info{${CHOSEN}})`;
const quantile = (q: number, histogram: string) => `histogram_quantile(${q}, sum by (le) (rate(${histogram}_bucket[$__rate_interval])))`;
/** Trainers have metrics of this name, too. */
const ofOperator = (expr: string) => `${expr} and on (job, instance) cdsp_operator_build_info`;

const overview: RowSpec = {
  title: 'Experiments',
  height: 8,
  columns: 1,
  panels: [
    {
      title: 'Experiments',
      description: 'Where each experiment stands. Those that ended over an hour ago show phase and mIoU only.',
      type: 'table',
      targets: [
        [each('phase, stage', 'cdsp_experiment_info'), ''],
        [ofCurrentStage('cdsp_experiment_progress_ratio'), 'progress'],
        [`max by (namespace, experiment) (cdsp_experiment_mean_iou{${CHOSEN},stage!="pseudo-label"})`, 'mIoU'],
        [ofCurrentStage('cdsp_experiment_stage_duration_seconds'), 'seconds in stage'],
      ],
    },
    {
      title: 'Stages that cannot start',
      description: 'Reason as the scheduler or the kubelet gives it; the experiment’s conditions have the whole sentence.',
      type: 'table',
      targets: [[each('stage, reason', 'cdsp_experiment_stage_blocked'), '']],
    },
  ],
};

const training: RowSpec = {
  title: 'Training',
  height: 8,
  columns: 2,
  panels: [
    {
      title: 'Loss',
      description: 'Weighted sum of the terms.',
      targets: [[`max by (namespace, experiment, stage) (cdsp_experiment_loss{${CHOSEN},term="total"})`, STAGE_LEGEND]],
    },
    {
      title: 'Loss by term',
      description: 'Each before its weight.',
      targets: [
        [`max by (namespace, experiment, stage, term) (cdsp_experiment_loss{${CHOSEN},term!="total"})`, `${STAGE_LEGEND} {{term}}`],
      ],
    },
    {
      title: 'Learning rate',
      description: 'Of the latest step.',
      targets: [[byStage('cdsp_experiment_learning_rate'), STAGE_LEGEND]],
    },
    {
      title: 'Gradient norm',
      description: 'Before gradients are scaled down, from the trainers’ own metrics; of stages with maxGradientNorm.',
      targets: [[byStage('cdsp_stage_gradient_norm'), STAGE_LEGEND]],
    },
    {
      title: 'Progress',
      description: 'Share of the stage that is done.',
      unit: 'percentunit',
      min: 0,
      max: 1,
      targets: [[byStage('cdsp_experiment_progress_ratio'), STAGE_LEGEND]],
    },
    { title: 'Epochs', description: 'Done by training stages.', targets: [[byStage('cdsp_experiment_epoch'), STAGE_LEGEND]] },
    {
      title: 'Images per second',
      description: 'Lately.',
      targets: [[byStage('cdsp_experiment_images_per_second'), STAGE_LEGEND]],
    },
  ],
};

const share = { unit: 'percentunit', min: 0, max: 1 } as const;
const quality: RowSpec = {
  title: 'Quality',
  height: 8,
  columns: 2,
  panels: [
    {
      title: 'mIoU',
      description: 'On the validation split.',
      ...share,
      targets: [[`max by (namespace, experiment, stage) (cdsp_experiment_mean_iou{${CHOSEN},stage!="pseudo-label"})`, STAGE_LEGEND]],
    },
    {
      title: 'IoU by class',
      description: 'On the validation split.',
      ...share,
      targets: [[each('stage, class', 'cdsp_experiment_iou'), `${STAGE_LEGEND} {{class}}`]],
    },
    {
      title: 'Pixel accuracy',
      description: 'Share of the validation split’s pixels that are right.',
      ...share,
      targets: [[each('', 'cdsp_experiment_pixel_accuracy'), '{{namespace}}/{{experiment}}']],
    },
    {
      title: 'mIoU of the pseudo-labels',
      description: 'On the training split, where it has masks.',
      ...share,
      targets: [[each('', 'cdsp_experiment_pseudo_label_mean_iou'), '{{namespace}}/{{experiment}}']],
    },
  ],
};

const stages: RowSpec = {
  title: 'Stages',
  height: 8,
  columns: 2,
  panels: [
    {
      title: 'Duration',
      description: 'From the start of a stage to its end, or until now.',
      unit: 's',
      targets: [[byStage('cdsp_experiment_stage_duration_seconds'), STAGE_LEGEND]],
    },
    {
      title: 'Attempts',
      description: 'Attempts at a stage that failed, and the one under way or that was the last.',
      targets: [[byStage('cdsp_experiment_stage_attempts'), STAGE_LEGEND]],
    },
  ],
};

const operator: RowSpec = {
  title: 'Operator',
  height: 7,
  columns: 3,
  panels: [
    {
      title: 'Experiments by phase',
      description: 'Of all releases of the operator together.',
      type: 'stat',
      // Of a release by the highest: after a change of its leader, two replicas tell for a while.
      targets: [['sum by (phase) (max by (namespace, job, phase) (cdsp_operator_experiments))', '{{phase}}']],
    },
    {
      title: 'Leader',
      description: '1 on the replica that leads.',
      targets: [['cdsp_operator_leader', '{{namespace}} {{pod}} {{instance}}']],
    },
    {
      title: 'Version',
      description: 'Of each replica.',
      type: 'stat',
      targets: [['count by (version) (cdsp_operator_build_info)', '{{version}}']],
    },
    {
      title: 'Hand-over',
      description: 'From the success of a stage’s pod to the creation of the next stage’s Job.',
      unit: 's',
      targets: [
        [quantile(0.5, 'cdsp_operator_handover_seconds'), 'p50'],
        [quantile(0.99, 'cdsp_operator_handover_seconds'), 'p99'],
      ],
    },
    {
      title: 'Reconciling',
      description: 'One look at one experiment, requests included.',
      unit: 's',
      targets: [
        [quantile(0.5, 'cdsp_operator_reconcile_duration_seconds'), 'p50'],
        [quantile(0.99, 'cdsp_operator_reconcile_duration_seconds'), 'p99'],
      ],
    },
    { title: 'Queue', description: 'Experiments that wait for a worker.', targets: [['sum(cdsp_operator_queue_depth)', 'waiting']] },
    {
      title: 'Errors',
      description: 'Looks at an experiment that failed and are made again.',
      unit: 'ops',
      targets: [['sum by (reason) (rate(cdsp_operator_reconcile_errors_total[$__rate_interval]))', '{{reason}}']],
    },
    {
      title: 'API requests',
      description: 'To the API server.',
      unit: 'reqps',
      targets: [['sum by (verb, resource) (rate(cdsp_operator_api_requests_total[$__rate_interval]))', '{{verb}} {{resource}}']],
    },
    {
      title: 'API requests by status',
      description: 'Answers of the API server.',
      unit: 'reqps',
      targets: [['sum by (status) (rate(cdsp_operator_api_requests_total[$__rate_interval]))', '{{status}}']],
    },
    {
      title: 'Watches begun again',
      description: 'After a failure.',
      unit: 'ops',
      targets: [['sum by (resource) (rate(cdsp_operator_watch_restarts_total[$__rate_interval]))', '{{resource}}']],
    },
    {
      title: 'Memory',
      description: 'Resident, of each replica.',
      unit: 'bytes',
      targets: [[ofOperator('process_resident_memory_bytes'), '{{pod}} {{instance}}']],
    },
    {
      title: 'CPU',
      description: 'Cores, of each replica.',
      targets: [[ofOperator('rate(process_cpu_seconds_total[$__rate_interval])'), '{{pod}} {{instance}}']],
    },
    {
      title: 'Event loop',
      description: 'How late timers of the replica are, 99th percentile.',
      unit: 's',
      targets: [[ofOperator('nodejs_eventloop_lag_p99_seconds'), '{{pod}} {{instance}}']],
    },
  ],
};

export const DASHBOARD_ROWS: readonly RowSpec[] = [overview, training, quality, stages, operator];
