"""Debian's Chromium and axe, as the checks drive them.

Whatever imports this exits with 77 if Chromium or a package of requirements.txt is missing.
"""

import shutil
import sys
from contextlib import contextmanager
from importlib import resources

SKIPPED = 77

try:
    import axe_playwright_python
    from playwright.sync_api import sync_playwright
except ImportError as error:
    print(f"skipped: {sys.executable} has no {error.name}", file=sys.stderr)
    sys.exit(SKIPPED)

ARGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

RUN_AXE = """async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa'];
    const found = await axe.run({ runOnly: tags, preload: false, resultTypes: ['violations'] });
    return {
        passes: found.passes.length,
        problems: found.violations.map(violation => {
            const nodes = violation.nodes;
            const more = nodes.length > 1 ? ` and ${nodes.length - 1} more` : '';
            const why = nodes[0].failureSummary.split('\\n').slice(1).map(line => line.trim());
            const where = `${nodes[0].target.join(' ')}${more}`;
            return `axe ${violation.id}: ${violation.help}: ${where}: ${why.join('; ')}`;
        }),
    };
}"""


@contextmanager
def browser():
    """Chromium with an empty profile of its own."""
    program = shutil.which("chromium")
    if program is None:
        print("skipped: no program chromium", file=sys.stderr)
        sys.exit(SKIPPED)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=program, chromium_sandbox=False, args=ARGS
        )
        yield chromium
        chromium.close()


def axe(page) -> dict:
    """How many rules of WCAG a page passes, and what breaks one."""
    page.evaluate(resources.files(axe_playwright_python).joinpath("axe.min.js").read_text())
    return page.evaluate(RUN_AXE)


def listen(context, say, is_own):
    """Says what pages put on the console, what they throw, and what they ask for that is not their own, which
    they do not get."""
    context.on("console", lambda message: say(f"console {message.type}: {message.text}"))
    context.on("weberror", lambda error: say(f"page error: {error.error.message}"))

    context.route(lambda asked: not is_own(asked), lambda route: route.abort())
    context.on(
        "request",
        lambda request: is_own(request.url) or say(f"network request: {request.url}"),
    )
    context.on(
        "page",
        lambda page: page.on("websocket", lambda socket: say(f"network request: {socket.url}")),
    )
