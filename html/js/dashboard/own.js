// SPDX-License-Identifier: MIT
// This page as an agent of its broker: connects when it is asked to, comes back by itself when the
// connection breaks, and shows the connection as the broker's STATS describe it.
import {brokerUrl} from '../broker.js';
import {connect, describe, isRefusal, obstacle} from '../client.js';
import {$, element, setText, sleep} from '../dom.js';
import {count, duration, size} from '../format.js';
import * as session from '../session.js';
import {Chart} from '../charts.js';
import {visible} from './graphs.js';

const EVERY = 1000;
const KEPT = 3700;
const BACK_OFF = [1000, 2000, 4000, 8000, 15000];
const POLLED = 'The figures are polled over HTTP. Connected by WebTransport, this page is an agent like any other, and shows its own connection too.';

export class Own {
  #wanted = false;
  #connection;
  #rows = {time: [], rtt: []};

  /** `onConnection` gets the connection, or undefined when there is none any more. */
  constructor(onConnection) {
    this.onConnection = onConnection;
    this.id = session.freshId('dashboard');
    this.chart = new Chart({key: 'own', title: 'Round trip of this page', format: (ms) => duration(ms / 1000),
      series: [{key: 'rtt', label: 'Smoothed', color: '--s-purple'}]});
    this.chart.card.classList.remove('card');
    $('own-form').addEventListener('submit', (event) => {
      event.preventDefault();
      session.remember($('own-token').value);
      this.#start();
    });
    $('own-disconnect').addEventListener('click', () => this.#stop());
    this.#begin();
  }

  async #begin() {
    const why = await obstacle();
    if (why) {
      $('own-form').hidden = true;
      setText($('own-note'), `${why} So the figures are polled over HTTP.`);
    } else if (session.wasConnected()) {
      this.#start();
    } else {
      this.#show();
    }
  }

  #show(note) {
    const connected = Boolean(this.#connection);
    $('own-form').hidden = this.#wanted;
    $('own-disconnect').hidden = !this.#wanted;
    $('own-figures').hidden = !connected;
    if (connected && !this.chart.card.isConnected) $('own-chart').append(this.chart.card);
    if (!this.#wanted) this.chart.card.remove();
    setText($('own-note'), note ?? (connected ? `Connected by WebTransport as ${this.#connection.id}.` : POLLED));
  }

  #start() {
    if (this.#wanted) return; // the form was quicker than what begins by itself
    this.#wanted = true;
    this.#show('Connecting …');
    this.#keep();
  }

  #stop(note) {
    this.#wanted = false;
    session.forget();
    $('own-token').value = '';
    this.#connection?.close();
    this.#show(note);
  }

  /** Connects again and again until it is not wanted any more. */
  async #keep() {
    for (let tries = 0; this.#wanted;) {
      try {
        const url = await brokerUrl();
        if (!url) return this.#stop('This broker has no place for WebTransport in its configuration (location ... { webtransport on; }).');
        await this.#hold(await connect(url, {id: this.id, token: session.token()}));
        tries = 0;
      } catch (error) {
        if (isRefusal(error)) return this.#stop(`The broker refused: ${describe(error)}.`);
        this.#show(`Not connected: ${describe(error)}. Trying again.`);
      }
      await sleep(BACK_OFF[Math.min(tries++, BACK_OFF.length - 1)] * (0.75 + Math.random() / 2));
    }
    return undefined;
  }

  async #hold(connection) {
    this.#connection = connection;
    this.onConnection(connection);
    this.#show();
    this.#watch(connection);
    const why = await connection.over;
    this.#connection = undefined;
    this.onConnection(undefined);
    if (this.#wanted) this.#show(`The connection ended: ${why.replace(/\.$/, '')}. Connecting again.`);
  }

  async #watch(connection) {
    while (this.#connection === connection) {
      const stats = await Promise.race([connection.stats(), connection.over.then(() => undefined)]).catch(() => undefined);
      if (!stats || this.#connection !== connection) return;
      this.#add(stats);
      await sleep(EVERY);
    }
  }

  #add(stats) {
    this.#rows.time.push(Date.now() / 1000);
    this.#rows.rtt.push(stats.rtt_smoothed_us / 1000);
    if (this.#rows.time.length > KEPT) for (const column of Object.values(this.#rows)) column.splice(0, 100);
    const figures = {
      'Round trip, least': duration(stats.rtt_min_us / 1e6),
      Sent: size(stats.bytes_sent),
      Received: size(stats.bytes_received),
      'Packets lost': count(stats.packets_lost),
      'Congestion window': size(stats.congestion_window),
    };
    $('own-figures').replaceChildren(...Object.entries(figures).map(([name, value]) => element('div', {},
      element('dt', {textContent: name}), element('dd', {textContent: value}))));
  }

  draw(seconds) {
    const now = Date.now() / 1000;
    const {time, rtt} = this.#rows;
    if (this.chart.card.isConnected) this.chart.draw([time, rtt], now - visible(seconds, now - (time[0] ?? now)), now);
  }

  redraw() {
    this.chart.redraw();
  }
}
