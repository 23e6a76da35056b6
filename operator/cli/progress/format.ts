/** Numbers as people read them: times, rates, losses and shares. */

const pad = (value: number) => String(value).padStart(2, '0');

/** Seconds as "0:08", "2:05" or "1:04:09", for narrow places. */
export function formatClock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const minutes = Math.floor(whole / 60);
  const tail = `${pad(minutes % 60)}:${pad(whole % 60)}`;
  return minutes < 60 ? tail.replace(/^0/, '') : `${Math.floor(minutes / 60)}:${tail}`;
}

/** Units a second, turned round ("4.2 s/step") where less than one is done in a second. */
export function formatRate(perSecond: number, unit: string): string {
  if (!(perSecond > 0)) return '';
  return perSecond >= 1 ? `${withDigits(perSecond, 2)} ${unit}s/s` : `${withDigits(1 / perSecond, 2)} s/${unit}`;
}

/** A loss with four significant digits; tiny ones in exponent form. */
export function formatLoss(loss: number): string {
  if (!Number.isFinite(loss)) return String(loss);
  return loss !== 0 && Math.abs(loss) < 1e-3 ? loss.toExponential(1) : withDigits(loss, 4);
}

/** A ratio in [0, 1] as a percentage with one digit; "-" where there is none. */
export function formatPercent(ratio: unknown): string {
  return typeof ratio === 'number' && Number.isFinite(ratio) ? (ratio * 100).toFixed(1) : '-';
}

/** "1 image", "2 images". */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Text of a stage or a file, without anything that could steer a terminal. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what has to go
  return text.replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, '').replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '');
}

function withDigits(value: number, digits: number): string {
  const whole = Math.floor(Math.log10(Math.max(Math.abs(value), 1))) + 1;
  return value.toFixed(Math.max(0, digits - whole));
}
