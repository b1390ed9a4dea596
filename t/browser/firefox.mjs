// SPDX-License-Identifier: MIT
// Stock headless Firefox ESR against the real broker.
import {run} from './lib.mjs';
import {setup} from './shared.mjs';
import './calls.mjs';
import './agents_in_c.mjs';
import './connect.mjs';
import './streams.mjs';
import './datagrams.mjs';
import './codes.mjs';
import './ends.mjs';
import './pages.mjs';
import './shutdown.mjs';

await run(setup);
