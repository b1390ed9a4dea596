// SPDX-License-Identifier: MIT
// A list of the broker's as a table that is searched, sorted and paged in the page.
import {element, setText, sleep} from '../dom.js';
import {count, plural} from '../format.js';
import {getJson} from './source.js';

const PAGE = 25;
const EVERY = 2000;
const MANY = 1000; // from here on the list is asked for less often

/**
 * spec: {key (names its elements and the list in the answer), path, noun, nouns, columns: [{key, label,
 * value(row), number, show(row)}], empty: what is said of an empty list, help: a node below it}.
 * A column's key is also its cells' class.
 */
export class ListTable {
  #rows = [];
  #total = 0;
  #sort;
  #down = false;
  #page = 0;

  constructor(spec) {
    this.spec = spec;
    this.#sort = spec.columns[0];
    this.#build();
  }

  #build() {
    const {key, title, nouns, help} = this.spec;
    const id = (part) => `${key}-${part}`;
    const button = (part, label, by) => {
      const made = element('button', {type: 'button', id: id(part), textContent: label});
      made.addEventListener('click', () => { this.#page += by; this.show(); });
      return made;
    };
    this.search = element('input', {type: 'search', id: id('search'), placeholder: `Search ${nouns}`, autocomplete: 'off', spellcheck: false,
      attributes: {'aria-label': `Search ${nouns}`}});
    this.search.addEventListener('input', () => { this.#page = 0; this.show(); });
    this.head = element('thead', {}, element('tr', {}, ...this.spec.columns.map((c) => this.#heading(c))));
    this.body = element('tbody');
    this.table = element('table', {id: key, hidden: true}, this.head, this.body);
    this.note = element('p', {id: id('note'), className: 'note', textContent: 'asking the broker', attributes: {role: 'status'}});
    [this.previous, this.next] = [button('previous', 'Previous', -1), button('next', 'Next', 1)];
    this.number = element('span', {id: id('page')});
    this.pages = element('div', {className: 'row', hidden: true}, this.previous, this.number, this.next);
    this.help = element('p', {id: id('empty'), className: 'note', hidden: true}, ...(help ?? []));
    this.node = element('section', {className: 'card', attributes: {'aria-labelledby': id('title')}},
      element('div', {className: 'row head'}, element('h2', {id: id('title'), textContent: title}), this.search),
      this.table, this.help, element('div', {className: 'row foot'}, this.note, this.pages));
  }

  #heading(column) {
    const button = element('button', {type: 'button', className: 'sort', textContent: column.label});
    button.addEventListener('click', () => this.#sortBy(column));
    return element('th', {className: column.number ? 'number' : '', data: {key: column.key}, attributes: {scope: 'col'}}, button);
  }

  #sortBy(column) {
    this.#down = this.#sort === column ? !this.#down : Boolean(column.number); // of figures the largest first
    this.#sort = column;
    this.#page = 0;
    this.show();
  }

  #matching() {
    const words = this.search.value.trim().toLowerCase().split(/\s+/);
    const textOf = (row) => this.spec.columns.filter((c) => !c.number).map((c) => c.value(row)).join(' ').toLowerCase();
    return words.join('') === '' ? [...this.#rows] : this.#rows.filter((row) => words.every((w) => textOf(row).includes(w)));
  }

  #compare(a, b) {
    const order = (column) => {
      const [x, y] = [column.value(a), column.value(b)];
      return typeof x === 'number' ? x - y : x.localeCompare(y, 'en', {numeric: true});
    };
    return (this.#down ? -order(this.#sort) : order(this.#sort)) || order(this.spec.columns[0]);
  }

  #row(row) {
    return element('tr', {}, ...this.spec.columns.map(({key, label, number, show, value}) => element('td',
      {className: [number ? 'number' : '', key].join(' ').trim(), data: {label}}, (show ?? value)(row))));
  }

  #summary(shown, from, found) {
    const {noun, nouns, empty} = this.spec;
    const all = plural(this.#total, noun, nouns);
    if (this.#total === 0) return empty;
    if (found === 0) return `None of ${all} matches the search.`;
    const told = found === this.#total ? all : `${count(found)} of ${all}`;
    const missing = this.#rows.length < this.#total ? `; the broker tells the first ${count(this.#rows.length)}` : '';
    return (found > PAGE ? `${count(from + 1)}–${count(from + shown)} of ${told}` : told) + missing;
  }

  show() {
    const found = this.#matching().sort((a, b) => this.#compare(a, b));
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    this.#page = Math.min(this.#page, pages - 1);
    const from = this.#page * PAGE;
    const shown = found.slice(from, from + PAGE);
    this.body.replaceChildren(...shown.map((row) => this.#row(row)));
    this.table.hidden = shown.length === 0;
    this.help.hidden = this.#total > 0 || !this.spec.help;
    setText(this.note, this.#summary(shown.length, from, found.length));
    this.pages.hidden = pages === 1;
    setText(this.number, `page ${this.#page + 1} of ${pages}`);
    this.previous.disabled = this.#page === 0;
    this.next.disabled = this.#page === pages - 1;
    for (const th of this.head.rows[0].cells) {
      if (th.dataset.key === this.#sort.key) th.setAttribute('aria-sort', this.#down ? 'descending' : 'ascending');
      else th.removeAttribute('aria-sort');
    }
  }

  /** Keeps the table current for ever; `paused()` says when not to. */
  async run(paused) {
    for (;;) {
      if (!document.hidden && !paused()) {
        try {
          const answer = await getJson(this.spec.path);
          this.#rows = answer[this.spec.key];
          this.#total = answer.total ?? this.#rows.length;
          this.show();
        } catch (error) {
          setText(this.note, `The list is not current: ${error.message}.`);
        }
      }
      await sleep(this.#rows.length > MANY ? 5 * EVERY : EVERY);
    }
  }
}
