// Prepares a drawing like the images that a model was trained on.
//
// A drawing is a list of strokes, a stroke a list of points [x, y] in the unit square.

// How images were made that have so many pixels a side, else as those of MNIST:
//
// box: the part of the image that a drawing fills, in width and height. stretch: how much taller than
// wide it is drawn to fill it. pen: the width of the pen, in images; `ink`: it is so wide that this
// part of the image is inked, within `pen`. bilevel: a pixel counts the black ones of a finer bitmap
// (the digits of UCI: https://archive.ics.uci.edu/dataset/80), else it is a mean. byMass: its centre
// of mass is in the middle (http://yann.lecun.com/exdb/mnist/), else that of its box.
const MADE = {
    8: { box: [22 / 32, 1], stretch: 1.5, pen: [3 / 32, 9 / 32], ink: 0.3, bilevel: true, fine: 4 },
    28: { box: [20 / 28, 20 / 28], stretch: 1, pen: [2.6 / 28, 2.6 / 28], ink: 0, byMass: true, fine: 8 },
};

// A smaller drawing is not enlarged to more than it would be with this side.
const LEAST_SIDE = 0.15;

// The finer bitmap has at most so many pixels a side.
const FINEST = 512;

// The pixels of a drawing, row by row, each in 0..=maximum.
export function prepare(strokes, { width, height, maximum }) {
    const made = MADE[width] ?? MADE[28];
    const fine = Math.max(1, Math.min(made.fine, Math.floor(FINEST / Math.max(width, height))));
    const bitmap = new OffscreenCanvas(width * fine, height * fine);
    const context = bitmap.getContext('2d', { willReadFrequently: true });
    const fit = fitted(strokes, made, bitmap);
    drawFitted(context, strokes, fit);
    if (made.byMass) {
        const [x, y] = centreOfMass(context);
        const shift = (size, at, box) => {
            const margin = size * (1 - box) / 2;
            return Math.max(-margin, Math.min(margin, size / 2 - at));
        };
        fit.middle[0] += shift(bitmap.width, x, made.box[0]);
        fit.middle[1] += shift(bitmap.height, y, made.box[1]);
        drawFitted(context, strokes, fit);
    }
    const ink = inkOf(context);
    const sums = new Float64Array(width * height);
    ink.forEach((alpha, i) => {
        const [x, y] = [i % bitmap.width, Math.floor(i / bitmap.width)];
        const value = made.bilevel ? Math.round(alpha / 255) : alpha / 255;
        sums[Math.floor(y / fine) * width + Math.floor(x / fine)] += value;
    });
    const digits = maximum > 1 ? 1 : 1e4;
    return Array.from(sums, sum => Math.round(sum / fine ** 2 * maximum * digits) / digits);
}

// Scale, pen and middle, in pixels of the bitmap.
function fitted(strokes, { box, stretch, pen: [least, most], ink }, { width, height }) {
    const points = strokes.flat();
    const [low, high] = [Math.min, Math.max].map(
        extreme => [0, 1].map(axis => points.reduce((a, b) => extreme(a, b[axis]), points[0][axis])));
    const sides = [0, 1].map(axis => Math.max(LEAST_SIDE, high[axis] - low[axis]));
    let [pen, scale] = [least * width, [1, 1]];
    // A wider pen leaves less to scale to, and a shorter line asks for a wider pen.
    for (let round = 0; round < 4; round += 1) {
        const most_ = [0, 1].map(axis => ([width, height][axis] * box[axis] - pen) / sides[axis]);
        const even = Math.min(...most_);
        scale = [even, Math.min(most_[1], even * stretch)];
        if (ink) {
            const length = strokes.reduce((sum, stroke) => sum + lengthOf(stroke, scale), 0);
            const wished = ink * width * height / Math.max(1, length);
            pen = Math.max(least * width, Math.min(most * width, wished));
        }
    }
    const centre = [0, 1].map(axis => (low[axis] + high[axis]) / 2);
    return { scale, pen, centre, middle: [width / 2, height / 2] };
}

function lengthOf(stroke, scale) {
    const step = (a, b) => Math.hypot((b[0] - a[0]) * scale[0], (b[1] - a[1]) * scale[1]);
    return stroke.slice(1).reduce((sum, point, i) => sum + step(stroke[i], point), 0);
}

function drawFitted(context, strokes, { scale, pen, centre, middle }) {
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    const place = point => [0, 1].map(axis => middle[axis] + (point[axis] - centre[axis]) * scale[axis]);
    drawStrokes(context, strokes.map(stroke => stroke.map(place)), pen);
}

export function drawStrokes(context, strokes, pen) {
    context.lineWidth = pen;
    context.lineCap = 'round';
    context.lineJoin = 'round';
    for (const stroke of strokes) {
        context.beginPath();
        context.moveTo(...stroke[0]);
        // A line to where it starts is a dot.
        (stroke.length > 1 ? stroke.slice(1) : stroke).forEach(point => context.lineTo(...point));
        context.stroke();
    }
}

// The opacity of each pixel, in 0..=255.
function inkOf(context) {
    const { width, height } = context.canvas;
    const { data } = context.getImageData(0, 0, width, height);
    return Uint8Array.from({ length: width * height }, (_, i) => data[4 * i + 3]);
}

function centreOfMass(context) {
    let [mass, x, y] = [0, 0, 0];
    const { width } = context.canvas;
    inkOf(context).forEach((alpha, i) => {
        mass += alpha;
        x += alpha * (i % width + 0.5);
        y += alpha * (Math.floor(i / width) + 0.5);
    });
    return [x / mass, y / mass];
}

// Shows pixels in 0..=maximum on a canvas of as many.
export function showPixels(canvas, pixels, { width, height, maximum }) {
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext('2d');
    context.fillStyle = getComputedStyle(canvas).color;
    pixels.forEach((value, i) => {
        context.globalAlpha = value / maximum;
        context.fillRect(i % width, Math.floor(i / width), 1, 1);
    });
}
