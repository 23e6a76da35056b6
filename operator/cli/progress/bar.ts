import type { Paint } from '../style.ts';
import { formatClock, formatLoss, formatPercent, formatRate, printable } from './format.ts';

/** What is known about a running stage. Ratios in [0, 1], times in seconds. */
export interface StageProgress {
  readonly stage: string;
  readonly label: string;
  readonly done: number;
  readonly total: number;
  readonly unit: string;
  /** What is done comes before the stage's own work. */
  readonly preparing?: boolean;
  readonly loss?: number;
  readonly terms?: Readonly<Record<string, number>>;
  readonly meanIou?: number;
  /** Units a second; 0: not known yet. */
  readonly rate: number;
  readonly secondsLeft?: number;
}

const STAGE_WIDTH = 12;
const NARROW = 60;
const WIDE = 100;

interface Part {
  readonly text: string;
  /** The least important parts go first where the line is too long. */
  readonly importance: number;
  readonly dim?: boolean;
}

/** One line of at most `columns − 1` characters (a full line would wrap on some terminals), colour codes not counted. */
export function renderBar(progress: StageProgress, columns: number, paint: Paint, blocks = '█░'): string {
  const width = Math.max(1, columns - 1);
  const stage = columns < NARROW ? progress.stage : progress.stage.padEnd(STAGE_WIDTH);
  // The bar's length depends on the terminal alone: one that gave way to the text beside it would jump with every digit.
  const cells = columns < NARROW ? 8 : columns < WIDE ? 12 : 24;
  let parts = describe(progress);
  const length = () => stage.length + 1 + cells + parts.reduce((sum, part) => sum + 2 + part.text.length, 0);
  while (parts.length > 0 && length() > width) {
    const least = Math.min(...parts.map((part) => part.importance));
    parts = parts.filter((part) => part.importance > least);
  }
  if (length() > width) return stage.slice(0, width);
  const filled = Math.round(share(progress) * cells);
  const bar = paint('green', blocks[0].repeat(filled)) + paint('dim', blocks[1].repeat(cells - filled));
  return [`${paint('bold', stage)} ${bar}`, ...parts.map((part) => (part.dim ? paint('dim', part.text) : part.text))].join('  ');
}

/** The same as a sentence, for logs. */
export function renderLine(progress: StageProgress): string {
  const first = progress.preparing === true ? 'preparing' : `${Math.floor(share(progress) * 100)} %`;
  const texts = describe(progress).map((part) => part.text.trim());
  return `${progress.stage}: ${first}, ${texts.join(', ')}`;
}

/** Share of the work that is done, in [0, 1]. */
export function share(progress: Pick<StageProgress, 'done' | 'total'>): number {
  return progress.total > 0 ? Math.min(1, Math.max(0, progress.done / progress.total)) : 0;
}

function describe(progress: StageProgress): Part[] {
  const terms = Object.entries(progress.terms ?? {});
  const parts: Part[] = [
    { text: printable(progress.label).replace(/\s+/g, ' '), importance: 4 },
    { text: `${String(progress.done).padStart(String(progress.total).length)}/${progress.total}`, importance: 2 },
    { text: progress.loss === undefined ? '' : `loss ${formatLoss(progress.loss)}`, importance: 6 },
    { text: terms.map(([name, value]) => `${printable(name)} ${value.toFixed(2)}`).join(' '), importance: 1, dim: true },
    { text: progress.meanIou === undefined ? '' : `mIoU ${formatPercent(progress.meanIou)} %`, importance: 5 },
    { text: formatRate(progress.rate, progress.unit), importance: 3 },
    { text: progress.secondsLeft === undefined ? '' : `${formatClock(progress.secondsLeft)} left`, importance: 7 },
  ];
  return parts.filter((part) => part.text !== '');
}
