// SPDX-License-Identifier: MIT
// Numbers as all pages write them: two digits where there would be less, decimal units, one space
// between figure and unit.

/** Two digits where there would be less, else none behind the point. */
export const figure = (x) => (x >= 9.95 || x === 0 ? String(Math.round(x)) : x.toPrecision(2));

function scaled(value, units) {
  let i = 0;
  for (; value >= 999.5 && i < units.length - 1; i++) value /= 1000;
  return [value, units[i]];
}

/** Bytes: "512 B", "1.2 kB". */
export function size(bytes) {
  const [value, unit] = scaled(bytes, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);
  return `${unit === 'B' ? Math.round(value) : figure(value)} ${unit}`;
}

export const byteRate = (bytesPerSecond) => `${size(bytesPerSecond)}/s`;

/** Whole things: "1,234". */
export const count = (n) => Math.round(n).toLocaleString('en');

/** Things a second: "12/s", "3.4 k/s". */
export function rate(perSecond) {
  const [value, unit] = scaled(perSecond, ['', 'k', 'M', 'G']);
  return `${figure(value)}${unit && ` ${unit}`}/s`;
}

export function duration(seconds) {
  if (seconds < 0.0009995) return `${figure(seconds * 1e6)} µs`;
  if (seconds < 0.9995) return `${figure(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${figure(seconds)} s`;
  if (seconds < 100) return `${Math.floor(seconds)} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** "1 agent", "2 agents"; the plural of irregular nouns may be given. */
export const plural = (n, noun, many = `${noun}s`) => `${count(n)} ${n === 1 ? noun : many}`;
