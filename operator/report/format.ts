/** 0.8312 → "83.1"; null → "–". The unit (%) is added where it is shown. */
export function formatPercent(ratio: number | null): string {
  return ratio === null ? '–' : (ratio * 100).toFixed(1);
}

/** 0.7712 → "77 %", for a share that is no result. */
export function formatShare(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}

/** Seconds as people say them: "0.8 s", "42 s", "3 min 5 s", "2 h 14 min", "3 d 4 h". */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  const units = [
    [Math.floor(whole / 86400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ] as const;
  const first = units.findIndex(([count]) => count > 0);
  return units
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

/** 1234567 → "1,234,567". */
export function formatInteger(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Four significant digits, without an exponent where that is readable. */
export function formatNumber(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}
