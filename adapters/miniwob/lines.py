"""Where the lines of text of a page are drawn: labels for what learns to read its picture."""

from __future__ import annotations

__all__ = ["LINES"]

LINES = r"""(() => {
  const rows = [];
  const pen = document.createElement('canvas').getContext('2d');
  const tidy = (number) => Math.round(number * 10) / 10;
  const clean = (text) => text.replace(/\s+/g, ' ').trim();
  let ref = 0;
  const visit = (page, left, top) => {
    const frames = [];
    const seen = (element, x, y) => {
      const hit = page.elementFromPoint(x - left, y - top);
      return hit !== null && (hit === element || hit.contains(element) || element.contains(hit));
    };
    const add = (element, text, x, y, width, height, edges) => {
      const middle = y + height / 2;
      const shown = seen(element, x + 1, middle) && seen(element, x + width - 1, middle)
        && seen(element, x + width / 2, y + 2) && seen(element, x + width / 2, y + height - 2);
      rows.push([ref, text, x, y, width, height, shown ? 1 : 0, edges.map(tidy)]);
    };
    const finish = (line, element) => {
      if (!line) return;
      const edges = [...line.edges, line.right];
      add(element, line.text, line.x, line.y, line.right - line.x, line.high, edges);
    };
    const written = (text, x) =>
      Array.from({length: text.length + 1}, (_, k) => x + pen.measureText(text.slice(0, k)).width);
    for (const element of page.querySelectorAll('*')) {
      ref += 1;
      if (element.tagName === 'IFRAME' && element.contentDocument) frames.push(element);
      const look = page.defaultView.getComputedStyle(element);
      if (look.visibility !== 'visible') continue;
      const tag = element.tagName.toLowerCase();
      const box = element.getBoundingClientRect();
      if (!box.width || !box.height) continue;
      const [x, y] = [box.left + left, box.top + top];
      if (tag === 'textarea') {
        const [first] = element.value.split('\n');
        pen.font = look.font;
        add(element, first, x + 3, y + 3, Math.max(8, box.width - 6), 12, written(first, x + 3));
      } else if (['input', 'select', 'option'].includes(tag)) {
        if (tag === 'select' && element.size > 1) continue;  // its options are drawn
        if (['checkbox', 'radio'].includes(element.type)) continue;
        let text = element.value || '';
        if (tag === 'option') text = clean(element.text);
        if (tag === 'select') text = clean((element.selectedOptions[0] || {text: ''}).text);
        if (element.type === 'password') text = '*'.repeat(text.length);
        if (!text && tag !== 'select') continue;
        pen.font = look.font;
        const wide = pen.measureText(text).width;
        const inside = parseFloat(look.borderLeftWidth) + parseFloat(look.paddingLeft)
          + (tag === 'select' ? 4 : 0);
        const centred = ['button', 'submit', 'reset'].includes(element.type);
        const begin = centred ? Math.max(0, (box.width - wide) / 2) : inside;
        const room = Math.max(4, Math.min(wide, box.width - begin));
        const high = Math.min(parseFloat(look.fontSize) * 1.2, box.height);
        const from = x + begin;
        add(element, text, from, y + (box.height - high) / 2, room, high, written(text, from));
      } else {
        let line = null;
        for (const node of element.childNodes) {
          if (node.nodeType !== 3) continue;
          for (const {0: word, index} of node.data.matchAll(/\S+/g)) {
            const range = page.createRange();
            range.setStart(node, index);
            range.setEnd(node, index + word.length);
            const [at] = range.getClientRects();
            if (!at || !at.width) continue;
            const here = {x: at.left + left, y: at.top + top, right: at.right + left, edges: []};
            for (let k = index; k < index + word.length; k++) {
              range.setStart(node, k);
              range.setEnd(node, k + 1);
              const [drawn] = range.getClientRects();
              here.edges.push(drawn ? drawn.left + left : here.right);
            }
            const gap = line ? here.x - line.right : 0;
            if (line && Math.abs(line.y - here.y) < 2 && gap > -1 && gap < at.height) {
              line.text += (gap > 0.5 ? ' ' : '') + word;
              line.edges.push(...(gap > 0.5 ? [line.right] : []), ...here.edges);
              line.right = here.right;
            } else {
              finish(line, element);
              line = {...here, text: word, high: at.height};
            }
          }
        }
        finish(line, element);
        if (!line && tag === 'button') {
          add(element, '', x + 2, y + box.height / 2 - 6, box.width - 4, 12, [x + 2]);
        }
      }
    }
    for (const frame of frames) {
      const box = frame.getBoundingClientRect();
      visit(frame.contentDocument, left + box.left, top + box.top);
    }
  };
  visit(document, 0, 0);
  return rows;
})()"""
"""JavaScript: [ref, text, x, y, width, height, seen, edges] of each line of an element's own text,
as it is drawn, in CSS pixels. `seen` is 1 where nothing covers it; `edges` are where its characters
begin, and where the last one ends. A field's line is what it holds."""
