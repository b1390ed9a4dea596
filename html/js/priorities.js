// SPDX-License-Identifier: MIT
// The named priorities, the most urgent first.

export const PRIORITIES = {critical: 255, high: 192, normal: 128, low: 64, background: 0};

/** The name that is nearest to a priority of 0..255. */
export const nearest = (priority) => Object.keys(PRIORITIES)[4 - Math.floor((priority + 32) / 64)];

export const titled = (word) => word[0].toUpperCase() + word.slice(1);
