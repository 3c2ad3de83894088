// Quantities in words.

export const percent = share => `${(100 * share).toFixed(1)}\u00a0%`;
export const count = (number, one, more = `${one}s`) =>
    `${number.toLocaleString('en')} ${number === 1 ? one : more}`;
export const mebibytes = bytes =>
    `${(bytes / 2 ** 20).toLocaleString('en', { maximumSignificantDigits: 3 })} MiB`;
