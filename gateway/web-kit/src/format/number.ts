// Numbers as people read them: fixed decimals, thin spaces in thousands, a true minus sign.

const THIN = '\u202f';

/** Decimals a step of this size needs: 0.1 → 1, 0.25 → 2, 5 → 0. At most six. */
export function decimalsOfStep(step: number): number {
  for (let decimals = 0; decimals < 6; decimals += 1) {
    const scaled = step * 10 ** decimals;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-6 * Math.max(1, Math.abs(scaled))) return decimals;
  }
  return 6;
}

/** `1234.5, 1` → `1 234.5`. Never called with an unknown; NaN and infinities are unknown. */
export function formatNumber(x: number, decimals: number): string {
  const fixed = Math.abs(x).toFixed(decimals);
  const [whole = '0', fraction] = fixed.split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
  const sign = x < 0 && Number(fixed) !== 0 ? '\u2212' : '';
  return sign + (fraction === undefined ? grouped : `${grouped}.${fraction}`);
}

/** A number of unknown resolution: four significant figures, no trailing zeros. */
export function formatPlain(x: number): string {
  const rounded = Math.abs(x) >= 1000 ? Math.round(x) : Number(x.toPrecision(4));
  return formatNumber(rounded, decimalsOfStep(rounded));
}

/** A count of things. */
export function formatCount(n: number): string {
  return formatNumber(n, 0);
}

/** `1 request`, `12 requests`; the plural is given where an s is not enough. */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${formatCount(n)} ${n === 1 ? one : many}`;
}

/** Octets with a decimal prefix: `3.1 MB`. */
export function formatBytes(octets: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = octets;
  let index = 0;
  while (size >= 1000 && index < units.length - 1) {
    size /= 1000;
    index += 1;
  }
  const decimals = index === 0 || size >= 100 ? 0 : 1;
  return `${formatNumber(size, decimals)}${THIN}${units[index] ?? ''}`;
}

/** A part of one as a percentage: `0.42` → `42 %`. */
export function formatShare(part: number): string {
  return `${formatNumber(part * 100, part > 0 && part < 0.1 ? 1 : 0)}${THIN}%`;
}
