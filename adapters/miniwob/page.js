// Runs in every frame before the page's own scripts: a clock that only `bench.advance` moves, and
// the functions that the adapter calls on a page.
(() => {
  'use strict';
  // ---- Randomness: what a page draws before its task is seeded is the same every time.
  let chance = 1;
  Math.random = () => (chance = (chance * 48271) % 2147483647) / 2147483647;

  // ---- Time. All frames share the top frame's clock; only promises and the browser's rendering go
  // on by themselves.
  const EPOCH = Date.UTC(2020, 0, 1, 9);  // a Wednesday
  const FRAME = 16;
  const RealDate = Date;
  const realTimeout = window.setTimeout.bind(window);
  const realFrame = window.requestAnimationFrame.bind(window);
  const clock = window === window.top
    ? {now: 0, count: 0, timers: new Map()} : window.top.bench.clock;

  const add = (call, delay, every, args) => {
    const id = ++clock.count;
    const wait = Math.max(1, +delay || 0);
    const timer = {id, at: clock.now + wait, every: every ? wait : 0, call, args, frame: window};
    clock.timers.set(id, timer);
    return id;
  };
  const remove = (id) => { clock.timers.delete(id); };
  window.setTimeout = (call, delay, ...args) => add(call, delay, false, args);
  window.setInterval = (call, delay, ...args) => add(call, delay, true, args);
  window.requestAnimationFrame = (call) =>
    add(() => call(clock.now), FRAME - clock.now % FRAME, false, []);
  window.webkitRequestAnimationFrame = window.requestAnimationFrame;
  window.requestIdleCallback = (call) =>
    add(() => call({didTimeout: false, timeRemaining: () => 10}), 1, false, []);
  window.clearTimeout = window.clearInterval = remove;
  window.cancelAnimationFrame = window.webkitCancelAnimationFrame = remove;
  window.cancelIdleCallback = remove;
  window.performance.now = () => clock.now;
  window.Date = new Proxy(RealDate, {
    construct: (target, args, made) =>
      Reflect.construct(target, args.length ? args : [EPOCH + clock.now], made),
    apply: () => new RealDate(EPOCH + clock.now).toString(),
    get: (target, name) => name === 'now' ? () => EPOCH + clock.now : Reflect.get(target, name),
  });
  RealDate.prototype.constructor = window.Date;

  // ---- Nothing blocks and nothing leaves the page.
  window.alert = window.print = () => {};
  window.confirm = () => true;
  window.prompt = () => null;
  window.open = () => null;
  // The browser's own drag and drop would take over the mouse.
  window.addEventListener('dragstart', (event) => event.preventDefault(), true);
  window.addEventListener('submit', (event) => event.preventDefault());
  window.addEventListener('click', (event) => {
    const link = event.target instanceof Element && event.target.closest('a[href]');
    if (link && !/^(#|javascript:)/.test(link.getAttribute('href'))) event.preventDefault();
  });
  const style = document.createElement('style');
  style.textContent = '*, *::before, *::after { transition: none !important; '
    + 'animation: none !important; caret-color: transparent !important; }';
  document.addEventListener('DOMContentLoaded', () => document.head.append(style));

  if (window !== window.top) return;

  // ---- Elements. A ref is the position in the document, from 1; the elements of a frame follow
  // those of the page.
  const SKIPPED = '#query, #query-wrap, #reward-display, #sync-task-cover, #click-canvas';
  const everything = () => {
    const found = [];
    const visit = (page, x, y) => {
      const frames = [];
      for (const element of page.querySelectorAll('*')) {
        found.push({element, x, y});
        if (element.tagName === 'IFRAME' && element.contentDocument) frames.push(element);
      }
      for (const frame of frames) {
        const box = frame.getBoundingClientRect();
        visit(frame.contentDocument, x + box.left, y + box.top);
      }
    };
    visit(document, 0, 0);
    return found;
  };
  const clean = (text) => text.replace(/\s+/g, ' ').trim();
  const tidy = (number) => Math.round(number * 100) / 100;
  const is = (element, name) => element.tagName.toLowerCase() === name;
  const describe = (element) => {
    const tag = element.tagName.toLowerCase();
    const texts = [...element.childNodes].filter((node) => node.nodeType === 3);
    let text = clean(texts.map((node) => node.data).join(' '));
    let value = '';
    const flags = [];
    if (element.ownerDocument.activeElement === element && tag !== 'body') flags.push('focused');
    if (element.disabled) flags.push('disabled');
    if (tag === 'select') {
      text = [...element.options].map((option) => clean(option.text)).join('\n');
      value = [...element.selectedOptions].map((option) => clean(option.text)).join('\n');
    } else if (tag === 'textarea') {
      text = '';
      value = element.value;
    } else if (tag === 'option') {
      if (element.selected) flags.push('checked');
    } else if (tag === 'input') {
      if (element.type === 'checkbox' || element.type === 'radio') {
        if (element.checked) flags.push('checked');
      } else if (['button', 'submit', 'reset'].includes(element.type)) {
        text = element.value;
      } else {
        value = element.value;
      }
    }
    return {tag: tag === 'input' ? `input_${element.type}` : tag, text, value, flags};
  };

  // [color, background]. A drawn shape has its fill and its outline in place of a background and a
  // colour; drawn text has its fill in place of a colour.
  const CLEAR = 'rgba(0, 0, 0, 0)';
  const paint = (element, look) => {
    if (element.namespaceURI !== 'http://www.w3.org/2000/svg' || is(element, 'svg')) {
      return [look.color, look.backgroundColor];
    }
    const [fill, stroke] = [look.fill, look.stroke].map((found) => found === 'none' ? CLEAR : found);
    return is(element, 'text') || is(element, 'tspan') ? [fill, CLEAR] : [stroke, fill];
  };

  const bench = window.bench = {clock, FRAME, token: 0};

  bench.elements = () => {
    const listed = new Map();
    const rows = [];
    everything().forEach(({element, x, y}, index) => {
      const box = element.getBoundingClientRect();
      // The patch of colour that one page asks for is told by no word of the instruction.
      const asked = element.matches('#query .cc');
      if (!box.width || !box.height || (element.closest(SKIPPED) && !asked)) return;
      const look = element.ownerDocument.defaultView.getComputedStyle(element);
      if (look.visibility !== 'visible') return;
      let parent = element.parentElement;
      while (parent && !listed.has(parent)) parent = parent.parentElement;
      listed.set(element, index + 1);
      const {tag, text, value, flags} = describe(element);
      rows.push([
        index + 1, parent ? listed.get(parent) : 0, tag, text, value, element.id || '',
        (element.getAttribute('class') || '').split(/\s+/).filter(Boolean),
        tidy(box.left + x), tidy(box.top + y), tidy(box.width), tidy(box.height),
        flags, ...paint(element, look),
      ]);
    });
    return rows;
  };

  const numbered = (ref) => (everything()[ref - 1] || {}).element || null;

  // The point at which to click an element, once scrolled into view: the center of it, or of the
  // first line of its text; where another element covers that, the first uncovered point of a grid.
  // Null if it has no box.
  bench.place = (ref) => {
    const element = numbered(ref);
    if (!element) return null;
    element.scrollIntoViewIfNeeded();
    const {x, y} = everything()[ref - 1];
    const box = element.getClientRects()[0];
    if (!box || !box.width || !box.height) return null;
    const point = (across, down) =>
      [x + box.left + box.width * across, y + box.top + box.height * down];
    const own = ([px, py]) => {
      const found = under(px, py);
      return found && (element === found || element.contains(found));
    };
    const middle = point(0.5, 0.5);
    if (own(middle)) return middle;
    const inner = Array.from({length: 19}, (_, index) => (index + 1) / 20);
    // What is left uncovered may be a line of pixels at an edge.
    const whole = (size) => [...inner, 0, 1 - 1 / size];
    for (const [columns, rows] of [[inner, inner], [whole(box.width), whole(box.height)]]) {
      for (const down of rows) {
        for (const across of columns) if (own(point(across, down))) return point(across, down);
      }
    }
    return middle;
  };

  // For the experts: the elements that match a selector and have a size.
  bench.find = (css) => {
    const matching = everything().map((found, index) => ({...found, index}))
      .filter(({element}) => element.matches(css));
    return matching.map(({element, x, y, index}) => {
      const box = element.getBoundingClientRect();
      let selected = false;
      if (typeof element.value === 'string' && element.value) {
        selected = element.selectionEnd === undefined || element.selectionEnd === null
          // Number fields do not report their selection.
          ? element.ownerDocument.getSelection().toString() === element.value
          : element.selectionStart === 0 && element.selectionEnd === element.value.length;
      }
      return {
        ref: index + 1, text: clean(element.textContent),
        value: element.value === undefined ? '' : String(element.value),
        checked: !!element.checked, focused: element.ownerDocument.activeElement === element,
        selected, x: box.left + x, y: box.top + y, width: box.width, height: box.height,
        classes: element.getAttribute('class') || '', name: element.id || '',
        data: {...element.dataset},
      };
    }).filter(({width, height}) => width && height);
  };
  bench.ref = (element) => everything().findIndex((found) => found.element === element) + 1;

  // A selection dragged beyond the edge of a box scrolls the box for as long as the button is held,
  // by the browser's own clock. `unscroll` undoes that.
  let held = [];
  let down = false;
  window.addEventListener('mousemove', (event) => { if (!event.buttons) down = false; }, true);
  window.addEventListener('mousedown', () => {
    if (down) return;  // pressed again while held: the positions at the first press are the ones
    down = true;
    held = everything().map(({element}) => element)
      .filter((element) => element.scrollHeight > element.clientHeight
        || element.scrollWidth > element.clientWidth)
      .map((element) => [element, element.scrollLeft, element.scrollTop]);
  }, true);
  bench.unscroll = () => {
    for (const [element, left, top] of held) {
      if (element.scrollLeft !== left || element.scrollTop !== top) element.scrollTo(left, top);
    }
  };

  // Resolves when what was scrolled has been rendered.
  bench.drawn = () => new Promise((resolve) => realFrame(() => realFrame(resolve)));

  // Chooses the entry of a drop-down list that is `text`, or begins with it. Returns whether the
  // element is such a list.
  bench.choose = (ref, text) => {
    const element = ref ? numbered(ref) : deepActive();
    if (!element || !is(element, 'select')) return false;
    const options = [...element.options];
    const wanted = clean(text);
    const start = wanted.toLowerCase();
    const found = options.find((option) => clean(option.text) === wanted)
      || options.find((option) => clean(option.text).toLowerCase().startsWith(start));
    if (found) {
      element.focus();
      if (!element.multiple) element.value = found.value;
      found.selected = true;
      for (const name of ['input', 'change']) {
        element.dispatchEvent(new Event(name, {bubbles: true}));
      }
    }
    return true;
  };

  const deepActive = () => {
    let active = document.activeElement;
    while (active && active.tagName === 'IFRAME' && active.contentDocument) {
      active = active.contentDocument.activeElement;
    }
    return active;
  };

  const under = (x, y) => {
    let page = document;
    for (;;) {
      const element = page.elementFromPoint(x, y);
      if (!element || element.tagName !== 'IFRAME' || !element.contentDocument) return element;
      const box = element.getBoundingClientRect();
      [page, x, y] = [element.contentDocument, x - box.left, y - box.top];
    }
  };
  const hovered = () => {
    let page = document;
    for (;;) {
      const chain = page.querySelectorAll(':hover');
      const last = chain[chain.length - 1] || null;
      if (!last || last.tagName !== 'IFRAME' || !last.contentDocument) return last;
      page = last.contentDocument;
    }
  };

  // Advances the clock to `until`. It stops early when another element has come under the pointer
  // at (x, y), so that the page can be told, and returns whether it did. The end of a task stops
  // the clock for good.
  bench.advance = (until, x, y) => {
    let rounds = 0;
    for (;;) {
      if (x !== null && under(x, y) !== hovered()) return true;
      if (clock.now >= until || over()) return false;
      const end = Math.min(until, clock.now + FRAME - clock.now % FRAME);
      for (;;) {
        let next = null;
        for (const timer of clock.timers.values()) {
          const sooner = !next || timer.at < next.at
            || (timer.at === next.at && timer.id < next.id);
          if (timer.at <= end && sooner) next = timer;
        }
        if (!next || over()) break;
        if (++rounds > 100000) throw new Error('the page sets timers without end');
        clock.now = Math.max(clock.now, next.at);
        if (next.every) next.at = clock.now + next.every;
        else clock.timers.delete(next.id);
        try {
          if (typeof next.call === 'function') next.call.apply(next.frame, next.args);
          else next.frame.eval(String(next.call));
        } catch (error) {
          console.error(error);  // as a browser does
        }
      }
      clock.now = end;
    }
  };
  const over = () => typeof WOB_DONE_GLOBAL !== 'undefined' && started && WOB_DONE_GLOBAL;

  // ---- MiniWoB
  let started = false;
  bench.begin = async (seed, mode) => {
    core.EPISODE_MAX_TIME = 1e12;
    Math.seedrandom(seed);
    core.setDataMode(mode);
    core.startEpisodeReal();
    while (!WOB_TASK_READY) await new Promise((resolve) => realTimeout(resolve, 2));
    started = true;
  };
  // What a page's own rule forgets to check: its name -> whether that holds of the answer given.
  const query = () => document.querySelector('#query').textContent;
  const listed = () => ui_utils.COUNTRIES.includes(document.querySelector('#tags').value);
  const OVERSIGHTS = {
    // Where no number was generated, "undefined" counts as even.
    'generate-number': () => document.querySelector('#display-number').textContent !== '-',
    // Any checked radio button counts.
    'form-sequence-2': () => {
      const checked = document.querySelector('#area input[type=radio]:checked');
      return checked !== null && checked.value === query().match(/Check the (\d)/)[1];
    },
    // The beginning of an item counts as an item.
    'use-autocomplete': listed,
    'use-autocomplete-nodelay': listed,
    // Any stroke counts whose points are about equally far from the dot: here no quarter of the turn
    // around it is free of them.
    'draw-circle': () => {
      const [x, y] = findMarkedCenter();
      const turns = arrayPoints.map(([px, py]) => Math.atan2(py - y, px - x) / (2 * Math.PI));
      turns.sort((one, other) => one - other);
      const gaps = turns.map((turn, index) => (index ? turn - turns[index - 1]
        : turn + 1 - turns[turns.length - 1]));
      return turns.length > 0 && Math.max(...gaps) <= 0.26;
    },
  };
  const sound = () => {
    const page = location.pathname.match(/([^/]*)\.html$/);
    const check = page && OVERSIGHTS[page[1]];
    return check ? check() : true;
  };
  const hash = (text) => {  // cyrb53, public domain
    let a = 0xdeadbeef, b = 0x41c6ce57;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      a = Math.imul(a ^ code, 2654435761);
      b = Math.imul(b ^ code, 1597334677);
    }
    a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
    b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
    return 4294967296 * (2097151 & b) + (a >>> 0);
  };
  bench.report = () => {
    const said = core.getUtterance();
    const parts = [clock.now];
    const visit = (page) => {
      parts.push(page.body.innerHTML, page.scrollingElement.scrollTop);
      for (const element of page.querySelectorAll('input, textarea, select, iframe')) {
        if (element.tagName === 'IFRAME') {
          if (element.contentDocument && element.contentDocument.body) {
            visit(element.contentDocument);
          }
        } else {
          parts.push(element.value, element.checked, element.scrollTop);
        }
      }
    };
    visit(document);
    return {
      utterance: typeof said === 'object' ? said.utterance : said,
      done: WOB_DONE_GLOBAL, reward: WOB_RAW_REWARD_GLOBAL,
      sound: WOB_DONE_GLOBAL && WOB_RAW_REWARD_GLOBAL > 0 ? sound() : true,
      state: hash(parts.join('\u0001')),
    };
  };
})();
