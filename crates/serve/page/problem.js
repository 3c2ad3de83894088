// What goes wrong, and how the page says so.

import { $, make } from './elements.js';

const SHOWN_ERRORS = 20;

// What went wrong, in words, and where: what RFC 9457 calls a problem.
export class Problem extends Error {
    constructor({ status, title, detail, ...where }) {
        super(detail ?? title ?? `The server answers with status ${status}.`);
        Object.assign(this, where);
        const only = where.column === undefined ? [] : [{ ...where, detail: this.message }];
        this.errors = Array.isArray(where.errors) && where.errors.length ? where.errors : only;
    }
}

// Shows a problem where it is announced, each place of several; or none.
export function tell(id, problem) {
    const errors = problem?.errors?.length > 1 ? problem.errors : [];
    const place = ({ line, row, column, detail }) => {
        const parts = [line && `line ${line}`, row && `row ${row}`, column && `column "${column}"`];
        return [parts.filter(Boolean).join(', '), detail].filter(Boolean).join(': ');
    };
    const items = errors.slice(0, SHOWN_ERRORS).map(
        error => make('li', { textContent: place(error), dir: 'auto' }));
    if (items.length < errors.length) items.push(make('li', { textContent: 'and more' }));
    const list = items.length ? [make('ul', {}, ...items)] : [];
    const message = items.length ? 'Nothing is predicted because of these:' : problem?.message;
    $(id).replaceChildren(...problem ? [make('p', { textContent: message }), ...list] : []);
}
