// SPDX-License-Identifier: MIT
// Graphs over uPlot, which comes as a script of its own: window.uPlot, or nothing when the build
// had no npm.  Colours are those of the style sheet at the moment of drawing, so that a change
// between light and dark needs no more than a new drawing.
import {element, setText} from './dom.js';

export const haveGraphs = () => typeof window.uPlot === 'function';

const HEIGHT = 180;
const FONT = '12px system-ui, sans-serif';
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clock = (seconds, exact) => new Date(seconds * 1000).toTimeString().slice(0, exact ? 8 : 5);
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800];
const WHOLE_STEPS = Array.from({length: 40}, (_, i) => [1, 2, 5][i % 3] * 10 ** Math.floor(i / 3));
const tidy = (text) => text.replace(/\.0(?=\D|$)/, ''); // marks are round numbers

const axis = (more) => ({
  font: FONT,
  stroke: () => css('--soft'),
  grid: {stroke: () => css('--grid'), width: 1},
  ticks: {show: false},
  ...more,
});

/** Areas on top of each other: each series is drawn as the sum of itself and those below it, the
 * topmost first, so that the lower ones paint over it. */
function stack(columns) {
  const sums = [];
  let below = columns[0].map(() => 0);
  for (const column of columns) {
    below = below.map((sum, i) => (column[i] === null ? null : (sum ?? 0) + column[i]));
    sums.push(below);
  }
  return sums.reverse();
}

/**
 * A card with heading, legend with the newest figures (or those under the pointer), and graph.
 * spec: {key, title, note, format, stacked, bars, whole, series: [{key, label, color, dash}]}; colours are
 * names of custom properties; `whole`: only whole numbers are marked; `bars`: x counts buckets, whose
 * names axisValues() gives; `plain`: lines without areas below them; `top`: where y ends; x is time of
 * day unless xFormat() writes it.
 */
export class Chart {
  #outputs = [];
  #data; // time, then a column a series
  #range = [0, 1];
  #summary;

  constructor(spec) {
    this.spec = spec;
    this.plotted = element('div', {className: 'plot', attributes: {role: 'img'}});
    this.note = element('p', {className: 'note', textContent: spec.note ?? ''});
    this.legend = element('ul', {className: 'legend'}, ...spec.series.map((s) => this.#legendItem(s)));
    this.card = element('figure', {className: 'card chart', data: {chart: spec.key}},
      element('figcaption', {}, element('h2', {textContent: spec.title}), this.note), this.legend, this.plotted);
    if (haveGraphs()) new ResizeObserver(() => this.#fit()).observe(this.plotted);
    else this.plotted.remove();
  }

  #legendItem({label, color}) {
    const output = element('b', {textContent: '–'});
    const swatch = element('i', {className: 'swatch', attributes: {'aria-hidden': 'true'}});
    swatch.style.background = `var(${color})`;
    this.#outputs.push(output);
    return element('li', {}, swatch, element('span', {textContent: label}), ' ', output);
  }

  #uplotSeries() {
    const {series, stacked, bars, plain} = this.spec;
    const order = stacked ? [...series].reverse() : series;
    return order.map(({color, dash}) => ({
      stroke: () => css(color),
      width: plain ? 2 : 1.5,
      dash,
      points: {show: false},
      fill: stacked || bars ? () => css(color) : dash || plain ? undefined : () => `${css(color)}22`,
      ...(bars && {paths: window.uPlot.paths.bars({size: [0.9, 100], radius: 0.15})}),
      spanGaps: false,
    }));
  }

  #options(width) {
    const {format, bars, axisValues, whole, xFormat, top} = this.spec;
    return {
      width,
      height: HEIGHT,
      padding: [10, 12, 0, 0],
      legend: {show: false},
      cursor: {y: false, drag: {x: false, y: false}, points: {show: !bars && !this.spec.stacked}},
      scales: {
        x: {time: false, range: () => this.#range},
        y: {range: (u, min, max) => [0, top ?? (max > 0 ? max * 1.1 : 1)]},
      },
      axes: [
        axis({size: 26, space: 64, ...(bars && {incrs: [1, 2, 3], values: (u, splits) => splits.map(axisValues)}),
          ...(xFormat && {values: (u, splits) => splits.map((x) => tidy(xFormat(x)))}),
          ...(!bars && !xFormat && {incrs: TIME_STEPS,
            values: (u, splits, i, space, step) => splits.map((t) => clock(t, step < 60))}),
        }),
        axis({size: 68, space: 36, ...(whole && {incrs: WHOLE_STEPS}),
          values: (u, splits) => splits.map((v) => (v === 0 ? '0' : tidy(format(v))))}),
      ],
      series: [{}, ...this.#uplotSeries()],
      hooks: {setCursor: [() => this.#showLegend()]},
    };
  }

  #fit() {
    const width = Math.floor(this.plotted.clientWidth);
    if (width === 0) return;
    if (this.uplot) this.uplot.setSize({width, height: HEIGHT});
    else if (this.#data) this.#make(width);
  }

  #make(width) {
    this.uplot = new window.uPlot(this.#options(width), this.#plottedData(), this.plotted);
  }

  #plottedData() {
    const [time, ...columns] = this.#data;
    return [time, ...(this.spec.stacked ? stack(columns) : columns)];
  }

  #showLegend() {
    if (!this.#data) return;
    const [time, ...columns] = this.#data;
    const at = this.uplot?.cursor.idx;
    const format = this.spec.legendFormat ?? this.spec.format;
    columns.forEach((column, i) => {
      const newest = () => (this.spec.bars ? column.reduce((a, b) => a + b, 0) : column[time.length - 1]);
      const pointed = at !== null && at !== undefined;
      const value = pointed ? column[at] : newest();
      if (this.#summary && !pointed) return setText(this.#outputs[i], this.#summary[i]);
      return setText(this.#outputs[i], value === null || value === undefined ? '–' : format(value));
    });
  }

  /** Shows columns (time first, in seconds) between two moments; `summary`: what the legend says in
   * place of the newest figures. */
  draw(data, from, to, summary) {
    this.#data = data;
    this.#summary = summary;
    this.#range = [from, to];
    this.#showLegend();
    this.plotted.setAttribute('aria-label', `Graph of ${this.spec.title}: ${[...this.legend.children].map((li) => li.textContent).join(', ')}`);
    if (this.uplot) this.uplot.setData(this.#plottedData());
    else if (haveGraphs()) this.#fit();
  }

  redraw() {
    this.uplot?.redraw(false, true);
  }
}
