// The drawing area of a model of images, with the prediction of what is drawn.

import { $, say } from './elements.js';
import { drawOn } from './pen.js';
import { prepare, showPixels } from './pixels.js';
import { announce, clearResult, show } from './prediction.js';
import { tell } from './problem.js';
import { predict } from './server.js';

const NO_DRAWING = 'Draw something: its class will stand here.';

export function startDrawing(model) {
    const { image, columns } = model;
    const names = columns.map(column => column.name);
    const place = $('drawing-result');
    let drawn = [];
    // Whether a request is on its way, whether the drawing changed since, whether to announce it.
    let [busy, changed, ended] = [false, false, false];

    const look = async () => {
        changed = true;
        if (busy) return;
        busy = true;
        while (changed) {
            await new Promise(requestAnimationFrame);
            changed = false;
            if (!drawn.length) {
                empty();
                continue;
            }
            const pixels = prepare(drawn, image);
            showPixels($('prepared'), pixels, image);
            try {
                const row = columns.map(column => pixels[column.pixel]);
                const { predictions } = await predict(names, row);
                if (!drawn.length) continue;
                tell('drawing-problem', null);
                show(place, model, predictions[0]);
                if (ended && !changed) announce(model, predictions[0]);
            } catch (problem) {
                clearResult(place, NO_DRAWING);
                tell('drawing-problem', problem);
            }
        }
        busy = false;
    };
    const empty = () => {
        clearResult(place, NO_DRAWING);
        tell('drawing-problem', null);
        showPixels($('prepared'), [], image);
    };
    $('prepared-caption').textContent = `As the model sees it: ${image.width} × ${image.height} pixels`;
    $('drawing').hidden = false;
    empty();
    const clear = drawOn($('canvas'), (strokes, over) => {
        [drawn, ended] = [strokes, over];
        look();
    }, say);
    $('clear').addEventListener('click', clear);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', look);
}
