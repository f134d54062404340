// Reads the marks of a figure: arrow keys go through them, the pointer finds the nearest.
for (const figure of document.querySelectorAll('figure')) {
  const output = figure.querySelector('output');
  const table = document.getElementById(figure.dataset.table);
  const heads = [...table.tHead.rows[0].cells].map(c => c.textContent);
  let at = -1, on;
  const marks = () => {
    const svg = [...figure.querySelectorAll('svg')].find(s => s.getClientRects().length);
    return svg ? [...svg.querySelectorAll('[data-r]')] : [];
  };
  const show = mark => {
    if (on === mark) return;
    if (on) on.classList.remove('on');
    (on = mark).classList.add('on');
    const cells = [...table.tBodies[0].rows[mark.dataset.r].cells];
    output.textContent = cells.map((c, i) => [i && heads[i], c.textContent])
      .filter(([, text]) => text && text !== '–').map(([head, text]) => (head ? head + ' ' : '') + text).join('; ');
  };
  figure.addEventListener('keydown', e => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[e.key];
    const all = marks();
    if (!step || e.target !== figure || !all.length) return;
    e.preventDefault();
    at = (at + step + all.length + (at < 0 && step < 0 ? 1 : 0)) % all.length;
    show(all[at]);
  });
  figure.addEventListener('pointermove', e => {
    let best = 900, nearest = -1;
    const all = marks();
    all.forEach((m, i) => {
      const r = m.getBoundingClientRect();
      const d = (e.clientX - r.x - r.width / 2) ** 2 + (e.clientY - r.y - r.height / 2) ** 2;
      if (d < best) { best = d; nearest = i; }
    });
    if (nearest >= 0) show(all[at = nearest]);
  });
}
