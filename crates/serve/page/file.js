// A file of rows: dropped or chosen, and back with predictions.

import { $, say } from './elements.js';
import { preview } from './preview.js';
import { Problem, tell } from './problem.js';
import { ask } from './server.js';
import { count, mebibytes } from './words.js';

export function startFile(model) {
    const limit = model.limits.body_bytes;
    $('file-limit').textContent = `At most ${mebibytes(limit)} and ${count(model.limits.rows, 'row')}.`;
    let job = new AbortController();
    let url = '';
    const send = async file => {
        job.abort();
        job = new AbortController();
        const { signal } = job;
        tell('file-problem', null);
        $('file-result').hidden = true;
        URL.revokeObjectURL(url);
        try {
            say(`Predicting the rows of ${file.name}`);
            const bytes = await contentOf(file, limit);
            const answer = await ask('v1/predict?keep=all', response => response.blob(), {
                method: 'POST',
                headers: { 'Content-Type': 'text/csv', Accept: 'text/csv' },
                body: bytes,
                signal,
            });
            const text = await answer.text();
            if (signal.aborted) return;
            url = URL.createObjectURL(answer);
            const name = `${file.name.replace(/\.[^.]*$/, '')}-predicted.csv`;
            Object.assign($('download'), { href: url, download: name, textContent: `Download ${name}` });
            const rows = preview(model, text);
            $('file-result').hidden = false;
            say(`Predicted ${count(rows, 'row')} of ${file.name}`);
        } catch (problem) {
            if (signal.aborted) return;
            say('');
            tell('file-problem', problem);
        }
    };
    const field = $('file-field');
    field.addEventListener('change', () => field.files.length && send(field.files[0]));
    // The same file may be chosen again, with other content.
    field.addEventListener('click', () => field.value = '');
    addEventListener('dragover', event => {
        event.preventDefault();
        $('drop').classList.add('over');
    });
    const left = event => event.relatedTarget === null && $('drop').classList.remove('over');
    addEventListener('dragleave', left);
    addEventListener('drop', event => {
        event.preventDefault();
        $('drop').classList.remove('over');
        const { files } = event.dataTransfer;
        if (files.length === 1) {
            field.files = files;
            send(files[0]);
        } else if (files.length) {
            tell('file-problem', new Problem({ detail: `These are ${files.length} files; drop one.` }));
        }
    });
    $('file').hidden = false;
}

async function contentOf(file, limit) {
    if (file.size > limit) {
        const detail = `${file.name} has ${mebibytes(file.size)}, and this server takes at most ` +
            `${mebibytes(limit)}. The command kiln predict takes files of any size.`;
        throw new Problem({ detail });
    }
    try {
        return await file.arrayBuffer();
    } catch {
        throw new Problem({ detail: `${file.name} can’t be read.` });
    }
}
