// A prediction: the verdict, and a bar for each class.

import { make, say } from './elements.js';
import { count, percent } from './words.js';

// With more classes than this only the likeliest are shown.
const MANY_CLASSES = 10;

// The class or the labels, in words.
function verdict({ class: one, labels }) {
    return labels ? labels.join(', ') || 'no label' : one;
}

// Shows a prediction: the verdict, and a bar for each class.
export function show(place, model, prediction) {
    const { classes, target, task, threshold } = model;
    const { probabilities } = prediction;
    const chosen = new Set(prediction.labels ?? [prediction.class]);
    let order = classes.map((_, index) => index);
    const many = classes.length > MANY_CLASSES;
    if (many) order.sort((a, b) => probabilities[b] - probabilities[a]);
    const rest = many ? order.splice(MANY_CLASSES) : [];
    const bars = place.querySelector('.bars') ?? make('ul', { className: 'bars' });
    while (bars.children.length < order.length) bars.append(emptyBar());
    order.forEach((index, at) => {
        const on = chosen.has(classes[index]);
        const bar = bars.children[at];
        bar.classList.toggle('chosen', on);
        const [name, fill, number, state] = bar.querySelectorAll('.class, .fill, .percent, .state');
        name.textContent = classes[index];
        // Set here, not in an attribute: the page's policy lets no style be written in HTML.
        fill.style.width = `${100 * probabilities[index]}%`;
        number.textContent = percent(probabilities[index]);
        state.textContent = task === 'multi_label' ? (on ? 'yes' : 'no') : '';
    });
    const notes = [];
    if (rest.length) {
        const sum = rest.reduce((sum, index) => sum + probabilities[index], 0);
        notes.push(task === 'multi_label'
            ? `${count(rest.length, 'less likely label')} not shown.`
            : `The other ${count(rest.length, 'class', 'classes')}: ${percent(sum)}.`);
    }
    if (task === 'binary' && threshold !== 0.5) {
        notes.push(`This model says ${classes[1]} from ${percent(threshold)} on.`);
    }
    if (task === 'multi_label') notes.push(`A label applies from ${percent(threshold)} on.`);
    place.replaceChildren(
        make('p', { className: 'verdict' },
            make('span', { textContent: `Predicted ${target.length === 1 ? target[0] : ''}`, dir: 'auto' }),
            make('strong', { textContent: verdict(prediction), dir: 'auto' })),
        bars,
        ...notes.map(textContent => make('p', { className: 'note', dir: 'auto', textContent })));
}

function emptyBar() {
    return make('li', {},
        make('bdi', { className: 'class' }),
        make('span', { className: 'bar' }, make('span', { className: 'fill' })),
        make('span', { className: 'percent' }),
        make('span', { className: 'state' }));
}

export function announce({ classes }, prediction) {
    const share = prediction.probabilities[classes.indexOf(prediction.class)];
    say(`Predicted: ${verdict(prediction)}${share === undefined ? '' : `, ${percent(share)}`}`);
}

export function clearResult(place, text) {
    place.replaceChildren(make('p', { className: 'note', textContent: text }));
}
