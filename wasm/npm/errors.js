// SPDX-License-Identifier: MIT
// The one error type of the package.

/**
 * What failed: `name` is the error's one-word name ('offline', 'timed_out', ...), `code` the byte
 * that came over the wire, undefined when nothing did, and `by` who caused it.
 */
export class QuicmsError extends Error {
  constructor(message, {name, code, by}) {
    super(message);
    this.name = name;
    this.code = code;
    this.by = by;
  }
}

/** An error that the package finds by itself. */
export const invalid = (message) => new QuicmsError(message, {name: 'invalid', by: 'program'});

/** The code that a reason for abort() or cancel() stands for: CANCELLED unless it carries one. */
export function codeOf(reason) {
  let code = typeof reason === 'number' ? reason : reason?.streamErrorCode;
  if (reason instanceof QuicmsError) code = reason.code; // that of a DOMException is something else
  return Number.isInteger(code) && code >= 0 && code <= 0xff ? code : 0x12;
}
