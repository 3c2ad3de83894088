// Asks the server, with a token if it wants one.

import { $ } from './elements.js';
import { Problem } from './problem.js';

const UNREACHABLE = 'The server can’t be reached. Is it still running?';

let token = '';
let asking = null;

// What `read` makes of the server's answer.
export async function ask(path, read, { headers, ...options } = {}) {
    for (;;) {
        const sent = token;
        const authorization = sent && { Authorization: `Bearer ${sent}` };
        let response;
        let answer;
        try {
            response = await fetch(path, { ...options, headers: { ...headers, ...authorization } });
            answer = await (response.ok ? read(response) : response.text());
        } catch (error) {
            throw error.name === 'AbortError' ? error : new Problem({ detail: UNREACHABLE });
        }
        if (response.ok) return answer;
        if (response.status !== 401) throw refusal(response, answer);
        // Another request may have been told a token in the meantime.
        if (sent === token) await askForToken(sent);
    }
}

function refusal({ status, statusText, headers }, text) {
    const title = `The server answers with status ${status} ${statusText}`.trim() + '.';
    let problem = {};
    if (/^application\/(problem\+)?json/.test(headers.get('Content-Type'))) {
        try {
            problem = JSON.parse(text);
        } catch {
            // Its status alone is known.
        }
    }
    return new Problem({ title, ...problem, status });
}

// Ends when there is a token to try.
function askForToken(refused) {
    asking ??= new Promise(resolve => {
        $('token-problem').textContent = refused && 'The server does not know this token.';
        $('token').hidden = false;
        const before = document.activeElement;
        $('token-field').focus();
        $('token-form').onsubmit = event => {
            event.preventDefault();
            const given = $('token-field').value.trim();
            if (!/^[\x21-\x7e]+$/.test(given)) {
                $('token-problem').textContent = given
                    ? 'A token is made of letters, digits and signs of ASCII, without blanks.'
                    : 'A token is needed.';
                return $('token-field').focus();
            }
            token = given;
            asking = null;
            $('token').hidden = true;
            before?.focus();
            resolve();
        };
    });
    return asking;
}

export function predict(columns, row) {
    return ask('v1/predict', response => response.json(), {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
        body: JSON.stringify({ columns, rows: [row] }),
    });
}
