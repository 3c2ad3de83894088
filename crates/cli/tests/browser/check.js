// Runs in the page: problems of its layout and its references, and what it holds.
([width, printed]) => {
    const problems = [];
    const all = [...document.body.querySelectorAll('*')];
    // What is folded up is checked too.
    document.querySelectorAll('details').forEach(details => details.open = true);

    const place = element => {
        const id = element.closest('[id]')?.id;
        const own = element.classList.length ? '.' + [...element.classList].join('.') : '';
        const text = element.textContent.trim().replace(/\s+/g, ' ').slice(0, 30);
        const within = id && id !== element.id ? ` in #${id}` : id ? `#${id}` : '';
        return `<${element.localName}>${own}${within}${text ? ` “${text}”` : ''}`;
    };

    // Layout. A scroll box excuses what is in it, but on paper it cuts it off.
    const root = document.documentElement;
    if (root.scrollWidth > width) {
        problems.push(`the page is ${root.scrollWidth} px wide and scrolls in ${width} px`);
    }
    const scrolls = element => /auto|scroll/.test(getComputedStyle(element).overflowX);
    const inScrollBox = element => {
        for (let up = element.parentElement; up && up !== document.body; up = up.parentElement) {
            if (scrolls(up)) return true;
        }
        return false;
    };
    const beyond = new Set();
    for (const element of all) {
        const box = element.getBoundingClientRect();
        const hidden = box.width === 0 && box.height === 0;
        if (hidden || element.closest('defs, clipPath, marker')) continue;
        if (box.left >= -1 && box.right <= width + 1) continue;
        if (inScrollBox(element)) continue;
        beyond.add(element);
        // Its parent says it already.
        if (beyond.has(element.parentElement)) continue;
        const [left, right] = [Math.round(box.left), Math.round(box.right)];
        problems.push(`${place(element)} reaches from ${left} to ${right} px of ${width} px`);
    }
    for (const element of printed ? all : []) {
        if (scrolls(element) && element.scrollWidth > element.clientWidth + 1) {
            const [whole, seen] = [element.scrollWidth, element.clientWidth];
            problems.push(`${place(element)} is cut off at ${seen} px of ${whole} px`);
        }
    }

    // References.
    const ids = new Set();
    for (const { id } of document.querySelectorAll('[id]')) {
        if (ids.has(id)) problems.push(`id "${id}" is not unique`);
        ids.add(id);
    }
    const links = document.querySelectorAll('a[href], use[href]');
    for (const link of links) {
        const href = link.getAttribute('href');
        if (href.startsWith('#') && !ids.has(decodeURIComponent(href.slice(1)))) {
            problems.push(`the link ${href} has no target`);
        }
    }
    // Some of it is fetched later, or by other browsers.
    for (const element of document.querySelectorAll('[src], [srcset], [poster], link[href]')) {
        for (const name of ['src', 'srcset', 'poster', 'href']) {
            const url = element.getAttribute(name);
            if (url && !url.startsWith('data:')) {
                problems.push(`<${element.localName}> refers to ${url}`);
            }
        }
    }

    // Charts: the outermost <svg> elements that are not decoration.
    const charts = [...document.querySelectorAll('svg')].filter(
        svg => !svg.closest('[aria-hidden=true]') && !svg.parentElement.closest('svg'));
    for (const svg of charts) {
        const labels = (svg.getAttribute('aria-labelledby') ?? '').split(/\s+/).filter(Boolean)
            .map(id => document.getElementById(id)?.textContent ?? '');
        const title = svg.querySelector(':scope > title')?.textContent ?? '';
        const name = [...labels, svg.getAttribute('aria-label') ?? '', title].join('').trim();
        if (!name) problems.push(`the chart ${place(svg)} has no accessible name`);
        const { height } = svg.getBoundingClientRect();
        if (height < 1) problems.push(`the chart ${place(svg)} is 0 px tall`);
    }

    // Contrast of the text in charts, which axe leaves out (WCAG 2, 1.4.3).
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const colours = new Map();
    const rgba = css => {
        if (!colours.has(css)) {
            canvas.clearRect(0, 0, 1, 1);
            canvas.fillStyle = css;
            canvas.fillRect(0, 0, 1, 1);
            const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
            colours.set(css, [r, g, b, a / 255]);
        }
        return colours.get(css);
    };
    const over = ([r, g, b, a], under) =>
        [r, g, b].map((value, i) => value * a + under[i] * (1 - a));
    // What an element paints its inside with.
    const paint = element => {
        const style = getComputedStyle(element);
        const inChart = element instanceof SVGElement && element.localName !== 'svg';
        const css = inChart ? style.fill : style.backgroundColor;
        if (css === 'none' || css.startsWith('url')) return [0, 0, 0, 0];
        const [r, g, b, a] = rgba(css);
        let opacity = inChart ? a * style.fillOpacity : a;
        for (let up = element; up; up = up.parentElement) opacity *= getComputedStyle(up).opacity;
        return [r, g, b, opacity];
    };
    const luminance = colour => {
        const [r, g, b] = colour.map(value => value / 255)
            .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const hex = colour =>
        '#' + colour.map(value => Math.round(value).toString(16).padStart(2, '0')).join('');
    // The window's own colour depends on the page's scheme.
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.backgroundColor = 'Canvas';
    const blank = rgba(getComputedStyle(probe).backgroundColor).slice(0, 3);
    probe.remove();
    const pale = new Map();
    for (const text of document.querySelectorAll('svg text')) {
        if (text.getBoundingClientRect().width === 0) continue;
        // Only what is in the window can be looked up by its position.
        text.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
        const box = text.getBoundingClientRect();
        const stack = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2)
            .filter(element => !text.contains(element) && !element.closest('text'));
        const under = stack.reverse()
            .reduce((below, element) => over(paint(element), below), blank);
        const ink = over(paint(text), under);
        const [dark, light] = [luminance(ink), luminance(under)].sort((a, b) => a - b);
        const contrast = (light + 0.05) / (dark + 0.05);
        const matrix = text.getScreenCTM();
        const size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(matrix.a, matrix.b);
        const least = size >= 24 ? 3 : 4.5;
        if (contrast >= least) continue;
        const key = `text ${hex(ink)} on ${hex(under)} has a contrast of ${contrast.toFixed(2)}, ` +
            `expected at least ${least}`;
        pale.set(key, [...pale.get(key) ?? [], text]);
    }
    for (const [key, texts] of pale) {
        const more = texts.length > 1 ? ` and ${texts.length - 1} more` : '';
        problems.push(`${key}: ${place(texts[0])}${more}`);
    }
    scrollTo({ left: 0, top: 0, behavior: 'instant' });
    return {
        problems,
        charts: charts.length,
        tables: document.querySelectorAll('table').length,
        links: links.length,
    };
}
