/** 0.8312 → "83.1"; null → "–". The unit (%) is added where it is shown. */
export function formatPercent(ratio: number | null): string {
  return ratio === null ? '–' : (ratio * 100).toFixed(1);
}

/** 0.7712 → "77 %", for a share that is no result. */
export function formatShare(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
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
