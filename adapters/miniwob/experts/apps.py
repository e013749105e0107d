"""Scripts for pages that are small applications with several screens: mail, posts, a shop, ..."""

from __future__ import annotations

from collections.abc import Callable

from adapters.miniwob.experts.forms import pick_date
from adapters.miniwob.experts.look import WAIT, Expert, Look, click, plain
from harness.core import UIAction

__all__ = ["EXPERTS"]


def _mail(look: Look) -> UIAction | None:
    """Pages with free wording have the meaning in the utterance's fields, which the package gives
    to agents as well."""
    fields = look.ask("core.currentFields || null")
    if fields is None:
        who = look.match(r"email by (.+?) and ")[0]
        task = next(task for word, task in MAIL_TASKS if word in look.utterance)
        to = look.match(r"forward that email to (.+)\.")[0]
        message = look.quoted[0] if look.quoted else ""
    else:
        who, task = fields["by"], fields.get("task", "forward")
        to, message = fields.get("to", ""), fields.get("message", "")
    if look.find("#reply"):
        return look.form({"#reply-text": message}, "#send-reply")
    if look.find("#forward"):
        return look.form({".forward-sender": to}, "#send-forward")
    if look.find("#email"):
        return look.click(
            f".email-{task}"
            if task in ("reply", "forward")
            else f"#email .{'trash' if task == 'delete' else 'star'}"
        )
    part = {"delete": ".trash", "important": ".star"}.get(task, ".email-subject")
    ref = look.ask(
        "(who, part) => { const threads = [...document.querySelectorAll('#main .email-thread')];"
        " const thread = threads.find("
        "e => e.querySelector('.email-sender').textContent === who);"
        " return thread ? bench.ref(thread.querySelector(part)) : 0; }",
        who,
        part,
    )
    return UIAction("click", ref=ref) if ref else None


MAIL_TASKS = (
    ("trash", "delete"),
    ("star", "important"),
    ("reply", "reply"),
    ("forward", "forward"),
)
BUTTONS = {
    "Share via DM": "share", "Copy link to Tweet": "copy", "Embed Tweet": "embed",
    "Mute": "menu-user", "Block": "block-user", "Report": "report", "Reply": "reply",
    "Retweet": "retweet", "Like": "like", "Share": "share",
}  # fmt: skip


def _post(look: Look) -> UIAction | None:
    """One button of one user's post; some are in a menu."""
    user, kind = look.match(r"user (@\S+), click on the")[0], BUTTONS[look.quoted[0]]
    ref = look.ask(
        "(user, kind) => { const post = [...document.querySelectorAll('.media')]"
        ".find(e => e.querySelector('.username').textContent === user);"
        " const button = post.querySelector(kind);"
        " const shown = button.getBoundingClientRect().height;"
        " return bench.ref(shown ? button : post.querySelector('.more')); }",
        user,
        f".{kind}",
    )
    return UIAction("click", ref=ref)


def _posts(look: Look) -> UIAction | None:
    """The same button on all or some posts by a user."""
    kind, amount = BUTTONS[look.quoted[0]], look.match(r"on (\d+) posts?")[0]
    user = look.match(r"by (@\S+) and")[0]
    posts = look.ask(
        "(user, kind) => [...document.querySelectorAll('.media')]"
        ".filter(e => e.querySelector('.username').textContent === user)"
        ".map(e => e.querySelector(kind)).map(e => [bench.ref(e), e.classList.contains('active')])",
        user,
        f".{kind}",
    )
    done = sum(active for _, active in posts)
    todo = [ref for ref, active in posts if not active]
    if todo and (not amount or done < int(amount)):
        return UIAction("click", ref=todo[0])
    return look.click("#submitRow button")


def _contact(look: Look) -> UIAction | None:
    name, kind = look.match(r"Find (.+) in the contact book and click on their (\w+)")
    return (
        look.click(f"#contact .{kind}")
        if look.first("#contact .name", name)
        else look.click("#pagination .next a")
    )


def _search(look: Look) -> UIAction | None:
    """There are nine results, three per page."""
    nth = int(look.match(r"find and click the (\d+)")[0]) - 1
    if not look.find("#page-content a"):
        return look.form({"#search-text": look.quoted[0]}, "#search")
    result = next(
        (found for found in look.find("#page-content a") if found.data.get("result") == str(nth)),
        None,
    )
    return click(result) or look.click("#pagination a", str(nth // 3 + 1))


def _order(look: Look) -> UIAction | None:
    """Order two items by name, or a number of items of a type, all of them the same dish."""
    names = look.match(r"one of each item: (.*)")[0]
    number, kind = look.match(r"Order (\d+) items that are (\S+)")
    wanted = {name.strip(): 1 for name in names.split(",")} if names else {}
    if not names:
        menu = look.ask("MENU.map(e => [e.name, e.types])")
        wanted = {next(name.strip() for name, types in menu if kind in types): int(number)}
    items = look.find(".food-item")
    adders, removers = look.find(".food-item .add"), look.find(".food-item .remove")
    for item, add, remove in zip(items, adders, removers):
        now, due = int(item.data["quantity"]), wanted.get(item.data["item"].strip(), 0)
        if now != due:
            return click(add if now < due else remove)
    return look.click("#submit-order button")


def _terminal(look: Look) -> UIAction | None:
    """List the files unless they are listed, then delete the first that fits. A partially typed
    line is erased."""
    typed = look.ask("document.querySelector('#active-input').textContent")
    lines = look.ask(
        "[...document.querySelectorAll('.terminal-line, .terminal-output')]"
        ".map(e => e.textContent.replace(/\\s+/g, ' ').trim())"
    )
    listed = next(
        (
            lines[n + 1]
            for n, line in enumerate(lines)
            if line.endswith("user$ ls") and n + 1 < len(lines)
        ),
        None,
    )
    ending = look.match(r"extension (\.\S+)")[0]
    command = "ls"
    if listed is not None:
        files = [
            name
            for name in listed.split()
            if (name.endswith(ending) if ending else "." not in name)
        ]
        if not files:
            return None
        command = f"rm {files[0]}"
    if typed == command:
        return UIAction("key", text="Enter")
    if typed:
        return UIAction("key", text="Backspace")
    return UIAction(
        "type", ref=look.ask("bench.ref(document.querySelector('#terminal-target'))"), text=command
    )


def _editor(look: Look) -> UIAction | None:
    """Select all text or one word, then press a button of the toolbar; colors are in a menu."""
    if look.ask("editor.getContents().ops.some(op => op.attributes)"):
        return look.click("#subbtn")
    word, style = look.match(r"give the text (.*) the (?:style|color) (\w+)")
    style = style or look.match(r"the (?:style|color) (\w+)")[0]
    color = (
        None
        if style not in look.ask("Object.keys(COLOR_MAP)")
        else look.ask("style => COLOR_MAP[style][0]", style)
    )
    if look.find(".ql-color.ql-expanded"):  # the editor remembers what was selected
        return look.click(f'.ql-color .ql-picker-item[data-value="{color}"]')
    wanted = word or look.ask("editor.getText()")
    if look.ask("getSelection().toString()").strip() != wanted.strip():
        if not word:
            return UIAction(
                "key",
                ref=look.ask("bench.ref(document.querySelector('.ql-editor'))"),
                text="Control+A",
            )
        start, end = look.ask(
            "word => { const n = document.querySelector('.ql-editor p').firstChild;"
            " const r = document.createRange(); let at = 0;"
            " for (const part of n.data.split(' ')) {"
            " if (part === word) break; at += part.length + 1; }"
            " r.setStart(n, at); r.setEnd(n, at + word.length);"
            " const b = [...r.getClientRects()], f = b[0], l = b[b.length - 1];"
            " return [[f.left, f.top + f.height / 2], [l.right, l.top + l.height / 2]]; }",
            word,
        )
        return UIAction("drag", x=start[0], y=start[1], to_x=end[0], to_y=end[1])
    return look.click(
        ".ql-color .ql-picker-label"
        if color
        else {"bold": ".ql-bold", "italics": ".ql-italic", "underlined": ".ql-underline"}[style]
    )


def _calendar(look: Look) -> UIAction | None:
    """Drag the event over free half hours, name it, and create it."""
    amount, unit, name, start, half = look.match(
        r'Create a ([\d.]+) (\w+) event named "(\w+)", between (\d+)(AM|PM)'
    )
    if look.find("#create-event"):
        return look.form({"#event-name": name}, "#controls .create")
    length = round(float(amount) * (2 if unit.startswith("hour") else 1 / 30))
    first = 2 * (int(start) % 12 + 12 * (half == "PM"))
    taken = [(event.y, event.y + event.height) for event in look.find(".event")]
    cells = {cell.name: cell for cell in look.find(".half-hour")}
    for begin in range(first, first + 9 - length):
        chosen = [cells[f"hh-{n}"] for n in range(begin, begin + length)]
        if all(
            cell.y + cell.height <= top or cell.y >= bottom
            for cell in chosen
            for top, bottom in taken
        ):
            return UIAction("drag", ref=chosen[0].ref, to_ref=chosen[-1].ref)
    return None


def _ticket(look: Look) -> UIAction | None:
    """Buy the ticket with the longest duration / the cheapest cost."""
    flights = look.ask(
        "[...document.querySelectorAll('.flight')].map(e => {"
        " const b = e.querySelector('.buy-ticket, .flight-price');"
        " const time = e.querySelector('.time-duration');"
        " return [+b.dataset.price, +time.dataset.duration, bench.ref(b)]; })"
    )
    by = 0 if "cheapest" in look.utterance or "expensive" in look.utterance else 1
    choose = max if "longest" in look.utterance or "expensive" in look.utterance else min
    return UIAction("click", ref=choose(flights, key=lambda flight: flight[by])[2])


def _flight(look: Look) -> UIAction | None:
    """Enter two airports by their suggestions and a date, then take the best flight found."""
    if look.find("#results .flight"):
        return _ticket(look)
    start, end, month, day, year = look.match(r"from: (.*) to: (.*) on (\d+)/(\d+)/(\d+)")
    for css, name in (("#flight-from", start), ("#flight-to", end)):
        airport = look.ask("name => DOMESTIC_FLIGHTS.find(e => e.includes(name))", name)
        field = look.first(css)
        if field is None or field.value != airport:
            return look.fill(field, airport)
        offered = look.first(".ui-menu-item", airport)
        if offered:
            return click(offered)
    date = look.first("#datepicker")
    if date is None or date.value != f"{month}/{day}/{year}":
        return pick_date(look, "#datepicker", int(month), int(day))
    return WAIT if look.find("#ui-datepicker-div") else look.click("#search")


EXPERTS: dict[str, Callable[[], Expert]] = {
    **dict.fromkeys(
        (
            "email-inbox", "email-inbox-delete", "email-inbox-forward", "email-inbox-forward-nl",
            "email-inbox-forward-nl-turk", "email-inbox-important", "email-inbox-nl-turk",
            "email-inbox-noscroll", "email-inbox-reply", "email-inbox-star-reply",
        ),
        plain(_mail),
    ),
    "social-media": plain(_post),
    **dict.fromkeys(("social-media-all", "social-media-some"), plain(_posts)),
    "phone-book": plain(_contact),
    "search-engine": plain(_search),
    "order-food": plain(_order),
    "terminal": plain(_terminal),
    "text-editor": plain(_editor),
    "daily-calendar": plain(_calendar),
    "buy-ticket": plain(_ticket),
    **dict.fromkeys(("book-flight", "book-flight-nodelay"), plain(_flight)),
}  # fmt: skip
