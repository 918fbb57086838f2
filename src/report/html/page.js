'use strict';
// Reads the data in the page and draws; it asks the network for nothing and writes texts as texts only.
const root = document.documentElement, tip = document.getElementById('tip');
const redraw = [];

// ---- theme
const theme = document.getElementById('theme');
const setTheme = dark => {
  root.dataset.theme = dark ? 'dark' : 'light';
  theme.setAttribute('aria-pressed', String(dark));
  theme.textContent = dark ? 'Light' : 'Dark';
  redraw.forEach(draw => draw());
};
theme.addEventListener('click', () => setTheme(root.dataset.theme !== 'dark'));
const ink = () => getComputedStyle(root).getPropertyValue('--ink').trim();
const faint = () => getComputedStyle(root).getPropertyValue('--faint').trim();
const isDark = () => root.dataset.theme === 'dark';

// ---- colours: lightness alone says how much, so that they survive a printer and colour-blind eyes
const oklch = (l, c, h) => `oklch(${l.toFixed(4)} ${c.toFixed(4)} ${h.toFixed(1)})`;
const sequential = s => isDark() ? oklch(0.24 + 0.62 * s, 0.02 + 0.11 * Math.min(1, 2 * s), 262 - 32 * s) : oklch(0.985 - 0.665 * s, 0.13 * Math.min(1, 2.4 * s), 230 + 32 * s);
const diverging = s => {
  const far = Math.abs(s - 0.5) * 2, hue = s < 0.5 ? 255 : 27;
  return isDark() ? oklch(0.24 + 0.5 * far, 0.16 * far, hue) : oklch(0.985 - 0.505 * far, 0.17 * far, hue);
};
const shareOf = (scale, value) => {
  if (value === null || !Number.isFinite(value)) return null;
  let s = 0;
  if (scale.kind === 'probability') s = value;
  else if (scale.kind === 'sequential') s = scale.high > scale.low ? (value - scale.low) / (scale.high - scale.low) : 0;
  else s = scale.reach > 0 ? 0.5 + (value - scale.mid) / (2 * scale.reach) : 0.5;
  return Math.min(1, Math.max(0, s));
};
const colour = (scale, share) => share === null ? (isDark() ? '#444' : '#bebebe') : scale.kind === 'diverging' ? diverging(share) : sequential(share);
const textOn = (scale, share) => {
  if (share === null) return isDark() ? '#fff' : '#000';
  const strong = scale.kind === 'diverging' ? Math.abs(share - 0.5) * 2 : share;
  return isDark() ? (strong > 0.62 ? '#000' : '#fff') : (strong > 0.55 ? '#fff' : '#000');
};
const number = x => x === null ? 'none' : !Number.isFinite(x) ? String(x) : x === 0 ? '0' : Math.abs(x) >= 1e-3 && Math.abs(x) < 1e5 ? String(+x.toPrecision(4)) : x.toExponential(2);

// ---- what is said beside the pointer
const say = (text, x, y) => {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 6)) + 'px';
  tip.style.top = Math.max(4, y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18) + 'px';
};
const hush = () => { tip.hidden = true; };
const tell = at => {
  const over = at && at.closest && at.closest('[data-tip]');
  if (!over) return hush();
  const box = over.getBoundingClientRect();
  say(over.dataset.tip, box.left, box.bottom - 12);
};
document.addEventListener('pointerover', event => tell(event.target));
document.addEventListener('focusin', event => tell(event.target));
document.addEventListener('focusout', hush);
document.addEventListener('keydown', event => { if (event.key === 'Escape') hush(); });

// ---- strips
const strips = () => document.querySelectorAll('figure.strip li[data-share]').forEach(li => {
  const diverges = li.closest('figure').classList.contains('diverging');
  const scale = { kind: diverges ? 'diverging' : 'sequential' }, share = Number(li.dataset.share);
  li.style.backgroundColor = colour(scale, share);
  li.style.color = textOn(scale, share);
});
redraw.push(strips);

// ---- tables
document.querySelectorAll('table.sortable').forEach(table => {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 2) return;
  table.querySelectorAll('th').forEach((th, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = th.textContent;
    th.replaceChildren(button);
    th.setAttribute('aria-sort', 'none');
    button.addEventListener('click', () => {
      const down = th.getAttribute('aria-sort') === 'ascending';
      table.querySelectorAll('th').forEach(other => other.setAttribute('aria-sort', 'none'));
      th.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const key = row => { const cell = row.cells[column]; return cell.dataset.sort === undefined ? cell.textContent : Number(cell.dataset.sort); };
      table.tBodies[0].append(...rows.sort((a, b) => order(key(a), key(b)) * (down ? -1 : 1)));
    });
  });
});
const order = (a, b) => typeof a === 'number' && typeof b === 'number' ? a - b : typeof a === 'number' ? -1 : typeof b === 'number' ? 1 : a < b ? -1 : a > b ? 1 : 0;

// ---- a grid that the pointer and the arrow keys walk over
const walk = (canvas, size, at, visit) => {
  let place = null;
  const go = (row, column, from) => {
    const [rows, columns] = size();
    place = [Math.max(0, Math.min(rows - 1, row)), Math.max(0, Math.min(columns - 1, column))];
    visit(place[0], place[1], from);
  };
  canvas.addEventListener('pointermove', event => {
    const box = canvas.getBoundingClientRect(), found = at(event.clientX - box.left, event.clientY - box.top);
    if (found) go(found[0], found[1], event); else hush();
  });
  canvas.addEventListener('pointerleave', hush);
  canvas.addEventListener('keydown', event => {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    if (place) go(place[0] + move[0], place[1] + move[1], null); else go(0, 0, null);
  });
  return { at: () => place };
};
const sized = (canvas, width, height) => {
  const ratio = Math.min(devicePixelRatio || 1, 16384 / Math.max(width, height));
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = width + 'px';
  canvas.style.height = height + 'px';
  const pen = canvas.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.textBaseline = 'middle';
  return pen;
};
const MONO = '11px ui-monospace, monospace';
const cut = (text, letters) => [...text].length > letters ? [...text].slice(0, Math.max(1, letters - 1)).join('') + '…' : text;

document.querySelectorAll('figure.heatmap').forEach(figure => {
  const data = JSON.parse(figure.querySelector('script.data').textContent);
  const canvas = figure.querySelector('canvas'), now = figure.querySelector('.now');
  const rows = data.rows.labels, columns = data.columns.labels;
  const longest = labels => Math.min(18, labels.reduce((most, label) => Math.max(most, [...label].length), 0));
  const left = 14 + 7 * longest(rows), room = Math.max(300, figure.clientWidth - 40 - left);
  const fits = Math.floor(room / columns.length), wanted = data.cells ? 74 : 52;
  const width = data.cells && columns.length <= 64 ? wanted : Math.max(3, Math.min(wanted, fits));
  const height = width < 12 && rows.length > 60 ? Math.max(3, Math.min(18, Math.floor(700 / rows.length))) : 18;
  const below = 10 + (width >= 7 * longest(columns) + 6 ? 14 : 7 * longest(columns));
  let marked = null;
  const draw = () => {
    const pen = sized(canvas, left + width * columns.length + 2, height * rows.length + below + 2);
    pen.font = MONO;
    const letters = Math.floor((width - 6) / 6.7);
    rows.forEach((label, row) => columns.forEach((_, column) => {
      const at = row * columns.length + column, value = data.values[at], share = shareOf(data.scale, value);
      pen.fillStyle = colour(data.scale, share);
      pen.fillRect(left + column * width, row * height, width - (width > 8 ? 1 : 0), height - (height > 8 ? 1 : 0));
      const text = data.cells ? data.cells[at] : number(value === null ? null : +value.toPrecision(2));
      if (height >= 12 && letters >= 4 && text && (data.cells || text.length <= letters)) {
        pen.fillStyle = textOn(data.scale, share);
        pen.fillText(cut(text, letters), left + column * width + 3, row * height + height / 2);
      }
    }));
    pen.fillStyle = faint();
    const every = Math.max(1, Math.ceil(13 / height)), each = Math.max(1, Math.ceil(13 / width));
    pen.textAlign = 'right';
    rows.forEach((label, row) => row % every || pen.fillText(cut(label, 18), left - 6, row * height + height / 2));
    columns.forEach((label, column) => {
      if (column % each) return;
      pen.save();
      pen.translate(left + (column + 0.5) * width, height * rows.length + 8);
      if (width >= 7 * longest(columns) + 6) pen.textAlign = 'center'; else pen.rotate(-Math.PI / 2);
      pen.fillText(cut(label, 18), 0, 0);
      pen.restore();
    });
    pen.textAlign = 'left';
    if (marked) {
      pen.strokeStyle = ink();
      pen.lineWidth = 2;
      pen.strokeRect(left + marked[1] * width, marked[0] * height, width, height);
    }
  };
  walk(canvas, () => [rows.length, columns.length], (x, y) => {
    const row = Math.floor(y / height), column = Math.floor((x - left) / width);
    return row >= 0 && row < rows.length && column >= 0 && column < columns.length ? [row, column] : null;
  }, (row, column, event) => {
    const at = row * columns.length + column;
    const text = `${data.rows.name} ${rows[row]}, ${data.columns.name} ${columns[column]}: ${data.cells ? data.cells[at] + ' ' : ''}${number(data.values[at])} ${data.unit}`;
    now.textContent = text;
    marked = [row, column];
    draw();
    if (event) say(text, event.clientX, event.clientY);
  });
  redraw.push(draw);
});

// ---- a picture of many cells, a pixel each: 256 colours from 0 to 1
const pixels = (width, height, paint) => {
  const strip = new OffscreenCanvas(256, 1).getContext('2d', { willReadFrequently: true });
  for (let at = 0; at < 256; at++) {
    strip.fillStyle = colour({ kind: 'probability' }, at / 255);
    strip.fillRect(at, 0, 1, 1);
  }
  const shades = new Uint32Array(strip.getImageData(0, 0, 256, 1).data.buffer);
  const picture = new OffscreenCanvas(Math.max(1, width), Math.max(1, height)), pen = picture.getContext('2d');
  const image = pen.createImageData(picture.width, picture.height), cells = new Uint32Array(image.data.buffer);
  paint((x, y, shades, share) => { cells[y * picture.width + x] = shades[Math.round(Math.min(1, share) * 255)]; }, shades);
  pen.putImageData(image, 0, 0);
  return picture;
};

// ---- packed data: base64 of a zlib stream
const unpack = async text => {
  const raw = atob(text.trim()), bytes = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at);
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'))).arrayBuffer());
};

// ---- attention: a head is unpacked when it is looked at
document.querySelectorAll('figure.attention').forEach(async figure => {
  const data = JSON.parse(figure.querySelector('script.data').textContent);
  const n = data.tokens.length, pick = name => figure.querySelector(name);
  const map = pick('canvas.map'), all = pick('canvas.heads'), now = pick('.now');
  const layer = pick('select.layer'), head = pick('select.head'), sink = pick('.sink');
  const thumbs = await unpack(data.thumbnails), side = data.side;
  const scale = { kind: 'probability' };
  const cell = Math.max(1, Math.min(26, Math.floor(520 / n))), labelled = cell >= 12;
  const letters = Math.min(14, data.tokens.reduce((most, token) => Math.max(most, [...token].length), 0));
  const left = labelled ? 8 + 7 * letters : 0;
  let pattern = new Uint8Array(0);
  // row by row, each up to the diagonal; shares of 255. Without the first token, what is left is scaled up to 1
  const row = query => {
    const start = query * (query + 1) / 2, weights = Array.from(pattern.subarray(start, start + query + 1), share => share / 255);
    const others = sink.checked ? weights.reduce((sum, weight) => sum + weight, -weights[0]) : 0;
    return others > 0 ? weights.map((weight, key) => key === 0 ? 0 : weight / others) : weights;
  };
  const weight = (query, key) => key > query ? 0 : row(query)[key];
  const drawMap = () => {
    const pen = sized(map, left + cell * n + 1, left + cell * n + 1);
    const image = pixels(n, n, (set, shades) => {
      for (let query = 0; query < n; query++) row(query).forEach((value, key) => set(key, query, shades, value));
    });
    pen.imageSmoothingEnabled = false;
    pen.drawImage(image, left, 0, cell * n, cell * n);
    pen.strokeStyle = faint();
    pen.strokeRect(left, 0, cell * n, cell * n);
    if (!labelled) return;
    pen.font = MONO;
    pen.fillStyle = faint();
    pen.textAlign = 'right';
    data.tokens.forEach((token, at) => {
      pen.fillText(cut(token, letters), left - 6, (at + 0.5) * cell);
      pen.save();
      pen.translate(left + (at + 0.5) * cell, cell * n + 6);
      pen.rotate(-Math.PI / 2);
      pen.fillText(cut(token, letters), 0, 0);
      pen.restore();
    });
  };
  const thumb = Math.max(12, Math.min(40, Math.floor(360 / data.n_heads)));
  const sheet = () => pixels(data.n_heads * side, data.n_layers * side, (set, shades) => {
    for (let at = 0; at < data.n_layers * data.n_heads; at++) {
      const x = at % data.n_heads * side, y = Math.floor(at / data.n_heads) * side;
      for (let query = 0; query < side; query++) for (let key = 0; key <= query; key++) set(x + key, y + query, shades, thumbs[(at * side + query) * side + key] / 255);
    }
  });
  let small = null;
  const drawAll = () => {
    const pen = sized(all, data.n_heads * (thumb + 3), data.n_layers * (thumb + 3));
    const strong = ink(), weak = faint();
    pen.imageSmoothingEnabled = false;
    for (let at = 0; at < data.n_layers * data.n_heads; at++) {
      const h = at % data.n_heads, l = Math.floor(at / data.n_heads), x = h * (thumb + 3), y = l * (thumb + 3);
      pen.drawImage(small, h * side, l * side, side, side, x, y, thumb, thumb);
      pen.strokeStyle = at === chosen() ? strong : weak;
      pen.lineWidth = at === chosen() ? 3 : 0.5;
      pen.strokeRect(x + 0.5, y + 0.5, thumb, thumb);
    }
  };
  const chosen = () => layer.selectedIndex * data.n_heads + head.selectedIndex;
  // lines from queries on the left to keys on the right; of one token alone while it is pointed at
  const links = pick('canvas.links'), LINE = 18, side1 = 10 + 7 * letters, gap = 130, MOST = 128;
  if (n > MOST) links.parentElement.remove();
  const drawLinks = marked => {
    if (n > MOST) return;
    const pen = sized(links, 2 * side1 + gap, n * LINE), shown = isDark() ? '#7ab8ff' : '#0b5cad';
    const link = (query, key, value) => {
      pen.globalAlpha = Math.min(1, value);
      pen.beginPath();
      pen.moveTo(side1, (query + 0.5) * LINE);
      pen.lineTo(side1 + gap, (key + 0.5) * LINE);
      pen.stroke();
    };
    pen.strokeStyle = shown;
    pen.lineWidth = 2;
    for (let query = 0; query < n; query++) {
      if (marked && marked[1] === 0 && marked[0] !== query) continue;
      row(query).forEach((value, key) => { if (value > 0.01 && !(marked && marked[1] === 1 && marked[0] !== key)) link(query, key, value); });
    }
    pen.globalAlpha = 1;
    pen.font = MONO;
    data.tokens.forEach((token, at) => [0, 1].forEach(column => {
      const here = marked && marked[0] === at && marked[1] === column;
      pen.fillStyle = here ? ink() : faint();
      pen.textAlign = column ? 'left' : 'right';
      pen.fillText((here && column ? '▸ ' : '') + cut(token, letters) + (here && !column ? ' ◂' : ''), column ? side1 + gap + 4 : side1 - 4, (at + 0.5) * LINE);
    }));
  };
  const best = weights => weights.filter(([value]) => value >= 0.005).sort((a, b) => b[0] - a[0]).slice(0, 5).map(([value, at]) => `${at} ${data.tokens[at]} ${value.toFixed(2)}`).join(', ');
  walk(links, () => [n, 2], (x, y) => [Math.min(n - 1, Math.floor(y / LINE)), x < side1 + gap / 2 ? 0 : 1], (at, column) => {
    drawLinks([at, column]);
    const name = `${at} ${data.tokens[at]}`;
    now.textContent = column === 0 ? `${name} looks at: ${best(row(at).map((value, key) => [value, key]))}`
      : `${name} is looked at by: ${best(Array.from({ length: n - at }, (_, i) => [weight(at + i, at), at + i]))}`;
  });
  links.addEventListener('pointerleave', () => drawLinks(null));
  const list = pick('ol.tokens');
  data.tokens.forEach((token, at) => {
    const li = document.createElement('li');
    li.textContent = token;
    li.tabIndex = 0;
    li.dataset.at = at;
    list.append(li);
  });
  const look = at => {
    [...list.children].forEach((li, other) => {
      const value = at === null ? null : other <= at ? weight(at, other) : weight(other, at);
      li.style.backgroundColor = value === null ? '' : colour(scale, Math.min(1, value));
      li.style.color = value === null ? '' : textOn(scale, Math.min(1, value));
      li.style.outline = other === at ? '2px solid' : '';
    });
    drawLinks(at === null ? null : [at, 0]);
    if (at !== null) now.textContent = `${at} ${data.tokens[at]} looks at: ${best(row(at).map((value, key) => [value, key]))}`;
  };
  list.addEventListener('pointerover', event => { if (event.target.dataset.at) look(Number(event.target.dataset.at)); });
  list.addEventListener('focusin', event => { if (event.target.dataset.at) look(Number(event.target.dataset.at)); });
  list.addEventListener('pointerleave', () => look(null));
  const show = async () => {
    const started = performance.now();
    pattern = await unpack(data.heads[chosen()]);
    drawMap();
    drawAll();
    drawLinks(null);
    figure.dataset.drawn = `${layer.value} ${head.value}`;
    figure.dataset.milliseconds = (performance.now() - started).toFixed(1);
  };
  const pickHead = (l, h) => { layer.selectedIndex = l; head.selectedIndex = h; show(); };
  [layer, head].forEach(select => select.addEventListener('change', show));
  sink.addEventListener('change', () => { drawMap(); drawLinks(null); look(null); });
  walk(map, () => [n, n], (x, y) => {
    const query = Math.floor(y / cell), key = Math.floor((x - left) / cell);
    return query >= 0 && query < n && key >= 0 && key < n ? [query, key] : null;
  }, (query, key, event) => {
    const text = `${query} ${data.tokens[query]} → ${key} ${data.tokens[key]}: ${key > query ? 'not seen' : weight(query, key).toFixed(2)}`;
    look(query);
    now.textContent = text;
    if (event) say(text, event.clientX, event.clientY);
  });
  const grid = (x, y) => {
    const l = Math.floor(y / (thumb + 3)), h = Math.floor(x / (thumb + 3));
    return l >= 0 && l < data.n_layers && h >= 0 && h < data.n_heads ? [l, h] : null;
  };
  all.addEventListener('click', event => {
    const box = all.getBoundingClientRect(), found = grid(event.clientX - box.left, event.clientY - box.top);
    if (found) pickHead(found[0], found[1]);
  });
  walk(all, () => [data.n_layers, data.n_heads], grid, (l, h, event) => {
    const role = data.roles[l * data.n_heads + h];
    const text = `layer ${l}, head ${h}${role ? ', ' + role : ''}`;
    if (event) say(text + ' (click to choose)', event.clientX, event.clientY); else pickHead(l, h);
  });
  redraw.push(() => { small = sheet(); drawMap(); drawAll(); drawLinks(null); });
  layer.selectedIndex = data.chosen[0];
  head.selectedIndex = data.chosen[1];
  small = sheet();
  await show();
});

// ---- items: all of them in memory, those that are seen in the page
document.querySelectorAll('figure.items').forEach(async figure => {
  const pick = name => figure.querySelector(name);
  const data = JSON.parse(new TextDecoder().decode(await unpack(pick('script.data').textContent)));
  const rows = pick('.rows'), find = pick('.find'), which = pick('.which'), metric = pick('.metric'), open = pick('.item'), count = pick('.count');
  const HEIGHT = 28;
  let shown = [], key = null, down = false, selected = 0;
  data.items.forEach(item => { item.text = [item.id, item.task, item.strata, item.target, item.answer, item.prompt].join('\n').toLowerCase(); });
  const value = item => { const found = item.values[metric.selectedIndex]; return found === undefined ? null : found; };
  const was = item => { const found = (item.before || [])[metric.selectedIndex]; return found === undefined ? null : found; };
  const keys = { id: item => item.id, task: item => item.task, value, target: item => item.target, answer: item => item.answer };
  const told = value => value === true ? 'right' : value === false ? 'wrong' : value === null ? '' : number(value);
  const kept = item => {
    const of = value(item);
    if (which.value === 'wrong') return of === false;
    if (which.value === 'right') return of === true;
    if (which.value === 'flipped') return typeof of === 'boolean' && typeof was(item) === 'boolean' && of !== was(item);
    return of !== null || metric.options.length === 0;
  };
  const draw = () => {
    const first = Math.max(0, Math.floor(rows.scrollTop / HEIGHT) - 5), last = Math.min(shown.length, first + Math.ceil(rows.clientHeight / HEIGHT) + 10);
    const parts = [];
    for (let at = first; at < last; at++) {
      const item = shown[at], line = document.createElement('div');
      line.setAttribute('role', 'row');
      line.setAttribute('aria-rowindex', at + 2);
      line.setAttribute('aria-selected', String(at === selected));
      line.style.top = at * HEIGHT + 'px';
      line.dataset.at = at;
      const before = was(item), flipped = which.value === 'flipped' && typeof before === 'boolean' ? ` (was ${told(before)})` : '';
      [item.id, item.task, told(value(item)) + flipped, item.target, item.answer].forEach(text => {
        const cell = document.createElement('span');
        cell.setAttribute('role', 'cell');
        cell.textContent = text;
        line.append(cell);
      });
      parts.push(line);
    }
    const space = document.createElement('div');
    space.style.height = shown.length * HEIGHT + 'px';
    space.setAttribute('role', 'presentation');
    rows.replaceChildren(space, ...parts);
  };
  const filter = () => {
    const started = performance.now(), words = find.value.toLowerCase();
    shown = data.items.filter(item => kept(item) && (!words || item.text.includes(words)));
    if (key) shown.sort((a, b) => order(sortable(keys[key](a)), sortable(keys[key](b))) * (down ? -1 : 1));
    selected = 0;
    rows.scrollTop = 0;
    draw();
    count.textContent = `${shown.length} of ${data.items.length} items`;
    figure.dataset.milliseconds = (performance.now() - started).toFixed(1);
  };
  const sortable = value => typeof value === 'boolean' ? Number(value) : value === null ? '' : value;
  const heading = (tag, text) => { const found = document.createElement(tag); found.textContent = text; return found; };
  const openItem = at => {
    const item = shown[at];
    if (!item) return;
    selected = at;
    draw();
    const parts = [heading('h4', `${item.id} (${item.task}${item.strata ? ', ' + item.strata : ''})`)];
    parts.push(heading('p', data.metrics.map((name, at) => item.values[at] === undefined || item.values[at] === null ? '' : `${name}: ${told(item.values[at])}`).filter(Boolean).join(' · ')));
    if (item.prompt) parts.push(heading('h4', 'What was asked'), heading('pre', item.prompt));
    if (item.target) parts.push(heading('h4', 'Right answer'), heading('pre', item.target));
    if (item.answer) parts.push(heading('h4', 'Answer'), heading('pre', item.answer));
    (item.scored || []).forEach(scored => {
      parts.push(heading('h4', `Scored: ${number(scored.loglik)} nats`));
      const list = document.createElement('ol');
      list.className = 'tokens';
      scored.tokens.forEach(([text, logprob, rank]) => {
        const li = heading('li', text), share = Math.min(1, Math.max(0, -logprob / 10));
        li.tabIndex = 0;
        li.dataset.tip = `${text}\nprobability ${number(Math.exp(logprob))}\nsurprisal ${(-logprob / Math.LN2).toFixed(3)} bits\nrank ${rank}`;
        li.style.backgroundColor = colour({ kind: 'sequential' }, share);
        li.style.color = textOn({ kind: 'sequential' }, share);
        list.append(li);
      });
      parts.push(list);
    });
    open.replaceChildren(...parts);
  };
  rows.addEventListener('scroll', draw);
  rows.addEventListener('click', event => { const line = event.target.closest('[data-at]'); if (line) openItem(Number(line.dataset.at)); });
  rows.addEventListener('keydown', event => {
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 14, PageUp: -14 };
    if (event.key === 'Enter') { openItem(selected); return; }
    if (!moves[event.key]) return;
    event.preventDefault();
    selected = Math.max(0, Math.min(shown.length - 1, selected + moves[event.key]));
    if (selected * HEIGHT < rows.scrollTop) rows.scrollTop = selected * HEIGHT;
    if ((selected + 1) * HEIGHT > rows.scrollTop + rows.clientHeight) rows.scrollTop = (selected + 1) * HEIGHT - rows.clientHeight;
    draw();
  });
  figure.querySelectorAll('[role=columnheader]').forEach(button => button.addEventListener('click', () => {
    down = key === button.dataset.key && !down;
    key = button.dataset.key;
    figure.querySelectorAll('[role=columnheader]').forEach(other => other.setAttribute('aria-sort', 'none'));
    button.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    filter();
  }));
  find.addEventListener('input', filter);
  [which, metric].forEach(select => select.addEventListener('change', filter));
  filter();
  figure.dataset.ready = 'true';
});

setTheme(matchMedia('(prefers-color-scheme: dark)').matches);
root.dataset.ready = 'true';
