// SPDX-License-Identifier: MIT
// Real headless Chromium against the real broker.
import {run} from './lib.mjs';
import {setup} from './shared.mjs';
import './types.mjs';
import './calls.mjs';
import './agents_in_c.mjs';
import './connect.mjs';
import './streams.mjs';
import './datagrams.mjs';
import './codes.mjs';
import './ends.mjs';
import './web.mjs';
import './pages.mjs';
import './figures.mjs';
import './dashboard.mjs';
import './demo.mjs';
import './shutdown.mjs';

await run(setup);
