// What browser_test.go asks of a page. Each function returns what is wrong, in words.
const checks = {
  seen: e => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== 'hidden',
  headings: () => [...document.querySelectorAll('h1,h2,h3,h4')].map(h => h.tagName + ' ' + h.textContent),
  counts: () => ['section', 'svg', 'table', 'figure', 'data'].map(n => n + ' ' + document.querySelectorAll(n).length).join(', '),

  svgs() {
    const wrong = [];
    for (const figure of document.querySelectorAll('figure')) {
      const rows = document.getElementById(figure.dataset.table).tBodies[0].rows.length;
      for (const svg of figure.querySelectorAll('svg')) {
        const at = figure.id + ' ' + svg.getAttribute('class');
        const [title, desc] = svg.getAttribute('aria-labelledby').split(' ').map(id => document.getElementById(id)?.textContent);
        if (!title || !desc || svg.getAttribute('role') !== 'img') wrong.push(at + ': no name');
        if (document.getElementById(svg.getAttribute('aria-details'))?.tagName !== 'TABLE') wrong.push(at + ': no table');
        const drawn = new Set([...svg.querySelectorAll('[data-r]')].map(m => +m.dataset.r));
        if (drawn.size !== rows) wrong.push(`${at}: marks of ${drawn.size} rows, the table has ${rows}`);
      }
    }
    const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
    if (new Set(ids).size !== ids.length) wrong.push('an id is there twice');
    return wrong;
  },

  values() {
    const copy = document.documentElement.cloneNode(true);
    copy.querySelectorAll('script,style').forEach(e => e.remove());
    return copy.outerHTML.match(/.{0,40}\b(NaN|Inf|Infinity|undefined|null|%!)\b.{0,20}/g) || [];
  },

  numbers: () => [...document.querySelectorAll('data')].map(d => [d.dataset.json, d.value, d.textContent]),

  layout() {
    const wrong = [], page = document.scrollingElement;
    if (page.scrollWidth > page.clientWidth) {
      wrong.push(`page is ${page.scrollWidth} wide in ${page.clientWidth}`);
    }
    for (const svg of document.querySelectorAll('svg')) {
      if (!checks.seen(svg)) continue;
      const at = svg.closest('figure').id, frame = svg.getBoundingClientRect();
      const texts = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect(), parseFloat(getComputedStyle(t).fontSize) * svg.getScreenCTM().a]);
      for (const [text, r, size] of texts) {
        if (size < 12) wrong.push(`${at}: "${text}" has ${size.toFixed(1)} px`);
        if (r.left < frame.left - 1 || r.right > frame.right + 1 || r.top < frame.top - 1 || r.bottom > frame.bottom + 1) {
          wrong.push(`${at}: "${text}" leaves the figure`);
        }
      }
      texts.forEach(([a, r], i) => texts.slice(i + 1).forEach(([b, q]) => {
        if (r.left < q.right - 1 && q.left < r.right - 1 && r.top < q.bottom - 2 && q.top < r.bottom - 2) wrong.push(`${at}: "${a}" meets "${b}"`);
      }));
    }
    return wrong;
  },

  rgb(colour) {
    const n = colour.match(/[\d.]+/g).map(Number);
    return colour.startsWith('color(srgb') ? [n[0] * 255, n[1] * 255, n[2] * 255, n[3] ?? 1] : [n[0], n[1], n[2], n[3] ?? 1];
  },
  luminance: c => c.slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0),
  ratio(a, b) {
    const [x, y] = [checks.luminance(a), checks.luminance(b)];
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  },
  behind(e) {
    for (; e; e = e.parentElement) {
      const c = checks.rgb(getComputedStyle(e).backgroundColor);
      if (c[3] > 0.99) return c;
    }
    return [255, 255, 255, 1];
  },

  contrast() {
    const wrong = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode());) {
      const e = node.parentElement;
      // One row of the long tables looks as the next.
      if (!node.data.trim() || e.closest('script,title,desc,#data tr:nth-child(n+9)') || !checks.seen(e)) continue;
      const style = getComputedStyle(e);
      const r = checks.ratio(checks.rgb(e instanceof SVGElement ? style.fill : style.color), checks.behind(e));
      if (r < 4.5) wrong.add(`${e.tagName} .${e.getAttribute('class')} "${node.data.trim().slice(0, 20)}": ${r.toFixed(2)}:1`);
    }
    for (const mark of document.querySelectorAll('svg [data-r]')) {
      if (!checks.seen(mark)) continue;
      const style = getComputedStyle(mark);
      const paint = style.fill === 'none' ? style.stroke : style.fill;
      const r = checks.ratio(checks.rgb(paint), checks.behind(mark.ownerSVGElement));
      if (r < 3) wrong.add(`mark .${mark.getAttribute('class')}: ${r.toFixed(2)}:1`);
    }
    return [...wrong];
  },

  stops: () => [...document.querySelectorAll('figure,.box,pre')].filter(checks.seen).map(e => e.id || e.getAttribute('aria-label')),
  focused() {
    const e = document.activeElement, style = getComputedStyle(e);
    if (e === document.body) return '';
    if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) return 'no outline: ' + (e.id || e.tagName);
    return e.id || e.getAttribute('aria-label');
  },

  paper() {
    const wrong = checks.layout().filter(w => !/ px$/.test(w)), edge = document.body.getBoundingClientRect().right + 1;
    const background = getComputedStyle(document.documentElement).backgroundColor;
    if (background !== 'rgb(255, 255, 255)') wrong.push('paper is ' + background);
    for (const e of document.querySelectorAll('svg,table,td,th,p,pre,blockquote')) {
      if (checks.seen(e) && e.getBoundingClientRect().right > edge) wrong.push(`${e.tagName} ${e.id || e.textContent.slice(0, 30)} is cut at the right`);
    }
    return wrong;
  },
};
