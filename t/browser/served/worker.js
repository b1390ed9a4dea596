// SPDX-License-Identifier: MIT
// A worker that runs the functions of calls.js by name.
import * as calls from './calls.js';

onmessage = async ({data: {name, args}}) => {
  try {
    postMessage({value: await calls[name](...args)});
  } catch (error) {
    postMessage({error: `${error.name}: ${error.message}\n${error.stack}`});
  }
};
