// Draws on a canvas, with pointer or keys.

import { drawStrokes } from './pixels.js';

const STEP = 1 / 28;
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// Makes a canvas one to draw on. `changed(strokes, ended)` is called at each change, `say` with what
// the keys did. Returns what clears it.
export function drawOn(canvas, changed, say) {
    const context = canvas.getContext('2d');
    const pen = 0.075 * canvas.width;
    let strokes = [];
    let pointer = null;
    // Where the keys are, if they are in use.
    let at = [0.5, 0.5];
    let [shown, down] = [false, false];

    const paint = () => {
        const style = getComputedStyle(canvas);
        context.clearRect(0, 0, canvas.width, canvas.height);
        context.strokeStyle = style.color;
        const whole = point => point.map(part => part * canvas.width);
        drawStrokes(context, strokes.map(stroke => stroke.map(whole)), pen);
        if (!shown) return;
        context.strokeStyle = style.accentColor;
        context.lineWidth = 4;
        context.beginPath();
        context.arc(...whole(at), pen * (down ? 0.6 : 0.9), 0, 2 * Math.PI);
        context.stroke();
    };
    const change = ended => {
        paint();
        changed(strokes, ended);
    };
    const lift = () => {
        if (!down) return;
        down = false;
        say('Pen up');
        change(true);
    };
    const clear = () => {
        [strokes, pointer, down] = [[], null, false];
        change(true);
    };

    const point = event => {
        const box = canvas.getBoundingClientRect();
        const part = (at, start, size) => Math.max(0, Math.min(1, (at - start) / size));
        return [part(event.clientX, box.left, box.width), part(event.clientY, box.top, box.height)];
    };
    canvas.addEventListener('pointerdown', event => {
        if (pointer !== null || event.button !== 0) return;
        pointer = event.pointerId;
        canvas.setPointerCapture(pointer);
        [shown, down] = [false, false];
        strokes.push([point(event)]);
        change(false);
    });
    canvas.addEventListener('pointermove', event => {
        if (event.pointerId !== pointer) return;
        const moves = event.getCoalescedEvents?.() ?? [];
        strokes.at(-1).push(...(moves.length ? moves : [event]).map(point));
        change(false);
    });
    const end = event => {
        if (event.pointerId !== pointer) return;
        pointer = null;
        change(true);
    };
    canvas.addEventListener('pointerup', end);
    canvas.addEventListener('pointercancel', end);

    canvas.addEventListener('keydown', event => {
        if (event.ctrlKey || event.altKey || event.metaKey || pointer !== null) return;
        if (event.key in MOVES) {
            const far = STEP * (event.shiftKey ? 4 : 1);
            const to = MOVES[event.key].map((move, axis) => at[axis] + move * far);
            at = to.map(part => Math.max(0, Math.min(1, part)));
            if (down) strokes.at(-1).push(at);
        } else if (event.key === ' ' || event.key === 'Enter') {
            if (event.repeat) return event.preventDefault();
            if (down) {
                lift();
            } else {
                down = true;
                strokes.push([at]);
                say('Pen down');
            }
        } else if (event.key === 'Delete' || event.key === 'Backspace') {
            clear();
            say('Cleared');
        } else {
            return;
        }
        event.preventDefault();
        shown = true;
        if (down) change(false);
        else paint();
    });
    canvas.addEventListener('focus', () => {
        shown = canvas.matches(':focus-visible');
        paint();
    });
    canvas.addEventListener('blur', () => {
        shown = false;
        lift();
        paint();
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);
    return clear;
}
