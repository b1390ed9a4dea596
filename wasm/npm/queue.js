// SPDX-License-Identifier: MIT
// What arrives and waits to be iterated over: for await (const x of queue).

/** A bounded queue that is an async iterable.  Ending an iteration leaves the queue as it is. */
export class Queue {
  #items = [];
  #waiting = [];
  #end; // undefined: open; else {error} or {}
  #max;
  #onReturn;

  /** `onReturn`: called when an iteration is ended by its reader. */
  constructor(max, onReturn) {
    this.#max = max;
    this.#onReturn = onReturn;
  }
  get length() {
    return this.#items.length;
  }
  /** False: it is full, or at its end. */
  push(item) {
    if (this.#end !== undefined) return false;
    if (this.#waiting.length > 0) {
      this.#waiting.shift().resolve({value: item, done: false});
      return true;
    }
    if (this.#items.length >= this.#max) return false;
    this.#items.push(item);
    return true;
  }
  shift() {
    return this.#items.shift();
  }
  /** What waits can still be read; then iterations end, or throw. */
  end(error) {
    if (this.#end !== undefined) return;
    this.#end = {error};
    for (const {resolve, reject} of this.#waiting.splice(0)) {
      if (error) reject(error);
      else resolve({value: undefined, done: true});
    }
  }
  next() {
    if (this.#items.length > 0) return Promise.resolve({value: this.#items.shift(), done: false});
    if (this.#end?.error) return Promise.reject(this.#end.error);
    if (this.#end) return Promise.resolve({value: undefined, done: true});
    return new Promise((resolve, reject) => { this.#waiting.push({resolve, reject}); });
  }
  return() {
    this.#onReturn?.();
    return Promise.resolve({value: undefined, done: true});
  }
  [Symbol.asyncIterator]() {
    return this;
  }
}
