// The form: one row, a field for each column.

import { $, make, say } from './elements.js';
import { announce, clearResult, show } from './prediction.js';
import { Problem, tell } from './problem.js';
import { predict } from './server.js';
import { count } from './words.js';

// With more columns than this there is a field to filter them.
const MANY_COLUMNS = 30;

const NO_ROW = 'The prediction will stand here.';

export function startRow(model) {
    const columns = model.columns.filter(column => column.used);
    const fields = columns.map(makeField);
    $('fields').append(...fields.map(field => field.element));
    if (columns.some(column => column.kind === 'numeric' && column.median != null)) {
        $('row-lead').append(' Grey numbers are the medians of the training rows.');
    }
    if (columns.length > MANY_COLUMNS) startFilter(fields);
    const form = $('row-form');
    clearResult($('row-result'), NO_ROW);
    let turn = 0;
    form.addEventListener('submit', async event => {
        event.preventDefault();
        turn += 1;
        const mine = turn;
        clearErrors(fields);
        const unreadable = fields.filter(field => field.input.validity.badInput);
        if (unreadable.length) {
            return showErrors(fields, unreadable.map(field =>
                ({ column: field.column.name, detail: 'This is not a number.' })));
        }
        say('');
        try {
            const names = columns.map(column => column.name);
            const { predictions } = await predict(names, fields.map(field => field.value()));
            if (mine !== turn) return;
            show($('row-result'), model, predictions[0]);
            announce(model, predictions[0]);
            $('row-result').scrollIntoView({ block: 'nearest' });
        } catch (problem) {
            if (mine !== turn) return;
            clearResult($('row-result'), NO_ROW);
            if (!showErrors(fields, problem.errors ?? [])) tell('row-problem', problem);
        }
    });
    form.addEventListener('reset', () => {
        turn += 1;
        clearErrors(fields);
        clearResult($('row-result'), NO_ROW);
    });
    $('row').hidden = false;
}

function makeField(column, index) {
    const id = `field-${index}`;
    const wrong = make('p', { id: `${id}-wrong`, className: 'wrong', dir: 'auto' });
    const [input, value] = makeInput(column);
    input.id = id;
    const element = make('div', { className: 'field' },
        make('label', { htmlFor: id, textContent: column.name, dir: 'auto' }), input, wrong);
    return { column, element, input, wrong, value };
}

// The control of a column, and what reads it: null where it is empty.
function makeInput({ kind, median, categories = [] }) {
    if (kind === 'numeric') {
        const input = make('input', { type: 'number', step: 'any' });
        if (median != null) input.placeholder = String(Number(median.toPrecision(6)));
        return [input, () => input.value === '' ? null : input.valueAsNumber];
    }
    const choices = kind === 'boolean'
        ? [['yes', true], ['no', false]]
        : categories.map(category => [category, category]);
    const options = [['(missing)', null], ...choices];
    const select = make('select', {}, ...options.map(([text]) => make('option', { textContent: text })));
    return [select, () => options[select.selectedIndex][1]];
}

function startFilter(fields) {
    const filter = () => {
        const sought = $('filter').value.trim().toLowerCase();
        for (const { element, column } of fields) {
            element.hidden = !column.name.toLowerCase().includes(sought);
        }
        const shown = fields.filter(field => !field.element.hidden).length;
        $('filter-count').textContent = `${shown} of ${count(fields.length, 'column')}`;
    };
    $('filter').addEventListener('input', filter);
    $('filter-search').hidden = false;
    filter();
}

function clearErrors(fields) {
    for (const { input, wrong } of fields) {
        wrong.textContent = '';
        input.removeAttribute('aria-invalid');
        input.removeAttribute('aria-describedby');
    }
    tell('row-problem', null);
}

// Shows errors beside their fields; false if none of them has one.
function showErrors(fields, errors) {
    const wrong = fields.filter(field => {
        const error = errors.find(error => error.column === field.column.name);
        if (!error) return false;
        field.wrong.textContent = error.detail;
        field.input.setAttribute('aria-invalid', 'true');
        field.input.setAttribute('aria-describedby', field.wrong.id);
        field.element.hidden = false;
        return true;
    });
    if (!wrong.length) return false;
    const names = wrong.map(field => `“${field.column.name}”`).join(', ');
    tell('row-problem', new Problem({ detail: `Nothing is predicted because of ${names}.` }));
    wrong[0].input.focus();
    return true;
}
