// The page of a served model: its form or drawing area, its predictions, and files of rows.

import { startDrawing } from './drawing.js';
import { $ } from './elements.js';
import { startFile } from './file.js';
import { startRow } from './form.js';
import { Problem, tell } from './problem.js';
import { ask } from './server.js';
import { count } from './words.js';

// With more classes than this their names are not listed.
const FEW_CLASSES = 8;

function introduce({ name, task, target, classes, columns, image, training, kiln_version }) {
    document.title = `${name} · Kiln`;
    $('name').textContent = name;
    const what = task === 'multi_label'
        ? `which of ${classes.length} labels apply`
        : `${target.length === 1 ? `${target[0]}, ` : ''}one of ${classes.length} classes`;
    const few = classes.length <= FEW_CLASSES ? `: ${classes.join(', ')}` : '';
    $('about').textContent = `Predicts ${what}${few}`;
    const used = columns.filter(column => column.used).length;
    const from = image ? `${image.width} × ${image.height} pixels` : count(used, 'column');
    const source = training.source ? ` of ${training.source}` : '';
    // Of no rows: weights from elsewhere.
    const origin = training.rows ? `trained on ${count(training.rows, 'row')}${source}` : `imported${source && ` from ${training.source}`}`;
    $('training').textContent = `From ${from}, ${origin}`;
    $('version').textContent = `Kiln ${kiln_version}`;
}

try {
    const model = await ask('v1/model', response => response.json());
    introduce(model);
    if (model.image) startDrawing(model);
    else startRow(model);
    startFile(model);
} catch (problem) {
    $('about').textContent = '';
    tell('problem', problem);
    if (!(problem instanceof Problem)) throw problem;
}
