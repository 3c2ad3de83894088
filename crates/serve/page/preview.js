// The first rows of a file that came back.

import { $, make } from './elements.js';
import { count } from './words.js';

const PREVIEW_ROWS = 20;
const PREVIEW_COLUMNS = 40;

// The records of a CSV file as RFC 4180 has them, that ends with a line break.
function* records(text) {
    const cell = /"([^"]*(?:""[^"]*)*)"|([^",\r\n]*)/y;
    const after = /,|\r?\n|$/y;
    let record = [];
    for (let at = 0; at < text.length; at = after.lastIndex || text.length) {
        cell.lastIndex = at;
        const [, quoted, plain] = cell.exec(text);
        record.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
        after.lastIndex = cell.lastIndex;
        if (after.exec(text)?.[0] === ',') continue;
        yield record;
        record = [];
    }
}

// Shows a table of the first rows, what is predicted first. Returns how many rows there are.
export function preview(model, text) {
    const all = records(text);
    const header = all.next().value;
    const first = [];
    let rows = 0;
    for (const row of all) {
        if (rows < PREVIEW_ROWS) first.push(row);
        rows += 1;
    }
    const own = header.length - 1 - model.classes.length;
    const order = [...header.keys()];
    const columns = [...order.slice(own), ...order.slice(0, own)].slice(0, PREVIEW_COLUMNS);
    const shown = first.map(row => columns.map(index => {
        const [text, probability] = [row[index], index > own];
        return probability && text ? Number(text).toFixed(4) : text;
    }));
    const numeric = new Set(model.columns.filter(c => c.kind === 'numeric').map(c => c.name));
    const isNumber = index => index > own || (index < own && numeric.has(header[index]));
    const cell = (tag, text, index, more) => make(tag, {
        className: isNumber(index) ? 'number' : '', ...more,
    }, make('bdi', { textContent: text }));
    const head = columns.map(index => cell('th', header[index], index, { scope: 'col' }));
    const hidden = header.length - columns.length;
    $('preview-caption').textContent =
        `${first.length < rows ? `The first ${first.length} of ` : ''}${count(rows, 'row')}, ` +
        `what is predicted first${hidden ? `, without ${count(hidden, 'more column')}` : ''}`;
    $('preview').replaceChildren(make('table', {},
        make('thead', {}, make('tr', {}, ...head)),
        make('tbody', {}, ...shown.map(row =>
            make('tr', {}, ...row.map((text, at) => cell('td', text, columns[at])))))));
    return rows;
}
