// Elements of the page.

export const $ = id => document.getElementById(id);

// An element; all that comes from the server becomes text in it, never HTML.
export function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
}

export const say = text => $('status').textContent = text;
