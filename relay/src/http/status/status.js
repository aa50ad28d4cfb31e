// The operators' page: asks /status.json once a second and shows it.

const english = {
  title: 'Relay status', skip: 'Skip to the numbers', warnings: 'Warnings', now: 'Right now', rooms: 'Rooms on air', tracks: 'Tracks',
  json: 'This as JSON', metrics: 'Metrics for Prometheus',
  about: (version, uptime) => `Version ${version} · up ${uptime}`,
  lost: (seconds) => `Connection lost. These numbers are ${seconds} s old; trying again every second.`,
  unreadable: 'The relay answers, and not with its status. Reload this page: the relay may be of another version.',
  loading: 'Asking the relay …',
  fine: 'Nothing to warn of.',
  noRooms: 'No room is on air.', noTracks: 'No track is taken from a publisher.',
  more: (count) => `and ${count} more, in the sum above`,
  sessions: 'Sessions', ofConnections: (quic, web, open, most) => `${quic} QUIC, ${web} WebTransport · ${open} of at most ${most} connections`,
  out: 'To viewers', in: 'From publishers', perSecond: (count) => `${count} objects a second`,
  fanout: 'Fan-out p50 / p99', fanoutMore: 'arrival to hand-over to the last viewer',
  skipped: 'Skipped', skippedMore: 'objects in the last 10 s', cache: 'Cache',
  cacheMore: (bound, hits, misses) => `of at most ${bound} · ${hits} hits, ${misses} misses`,
  cpu: 'CPU', cpuMore: (cores, each) => `of one core, of ${cores}${each === null ? '' : ` · ${each} µs an object`}`,
  memory: 'Memory', memoryMore: 'resident', handshakes: 'Handshakes p50 / p99',
  handshakesMore: (started, failed) => `${started} begun, ${failed} failed`,
  room: 'Room', track: 'Track', viewers: 'Viewers', trackCount: 'Tracks', objectsIn: 'Objects/s in', objectsOut: 'Objects/s out',
  mbitIn: 'Mbit/s in', mbitOut: 'Mbit/s out', p50: 'Fan-out p50', p99: 'Fan-out p99', skips: 'Skipped in 10 s', cached: 'Cached',
  graph: (name, least, most) => `${name} over the last two minutes, from ${least} to ${most}`,
  days: (n) => `${n} d`, hours: (n) => `${n} h`, minutes: (n) => `${n} min`, seconds: (n) => `${n} s`,
  'publisher-silent': ({ room }) => `Nothing has come from the publisher of room ${room} for 10 s, and viewers wait.`,
  'viewers-skipped': ({ room, count }) => `Viewers are skipped in room ${room}: ${count} objects in the last 10 s did not reach those that are too slow for it.`,
  'analytics-lost': ({ count }) => `Analytics are being lost: ${count} events in the last 10 s. The disk is slow or full, or the records cannot be written.`,
  'connections-refused': ({ count }) => `The relay is full: ${count} connections were refused in the last 10 s. Raise --max-connections, or start another relay.`,
  'handshakes-fail': ({ count }) => `${count} handshakes failed in the last 10 s, more than half: certificate, firewall, or somebody who tries what does not work.`,
  'datagrams-dropped': ({ count }) => `${count} datagrams to viewers were dropped in the last 10 s.`,
  'cpu-busy': ({ percent }) => `The relay takes ${percent} % of all cores: it is at the limit of this machine.`,
  'certificate-ends': ({ hours }) => (hours ? `The certificate ends in ${hours} h: give a new one with --cert and --key, and restart.` : 'The certificate has ended: nobody new gets in. Give a new one with --cert and --key, and restart.'),
};
const chinese = {
  title: '中继状态', skip: '跳到数据', warnings: '告警', now: '当前', rooms: '正在直播的房间', tracks: '轨道',
  json: 'JSON 数据', metrics: 'Prometheus 指标',
  about: (version, uptime) => `版本 ${version} · 已运行 ${uptime}`,
  lost: (seconds) => `连接已断开。以下数据来自 ${seconds} 秒前；每秒自动重试。`,
  unreadable: '中继有应答，但内容不是状态数据。请刷新页面：中继可能已更换版本。',
  loading: '正在查询中继……',
  fine: '一切正常。',
  noRooms: '目前没有房间在直播。', noTracks: '目前没有从发布端接收任何轨道。',
  more: (count) => `另有 ${count} 项，已计入上方总数`,
  sessions: '会话', ofConnections: (quic, web, open, most) => `QUIC ${quic}，WebTransport ${web} · 连接 ${open} / 上限 ${most}`,
  out: '发给观众', in: '来自发布端', perSecond: (count) => `每秒 ${count} 个对象`,
  fanout: '分发延迟 p50 / p99', fanoutMore: '从到达至交给最后一位观众',
  skipped: '跳过', skippedMore: '最近 10 秒的对象数', cache: '缓存',
  cacheMore: (bound, hits, misses) => `上限 ${bound} · 命中 ${hits}，未命中 ${misses}`,
  cpu: 'CPU', cpuMore: (cores, each) => `占单核比例，共 ${cores} 核${each === null ? '' : ` · 每对象 ${each} 微秒`}`,
  memory: '内存', memoryMore: '常驻', handshakes: '握手 p50 / p99',
  handshakesMore: (started, failed) => `发起 ${started}，失败 ${failed}`,
  room: '房间', track: '轨道', viewers: '观众', trackCount: '轨道数', objectsIn: '接收 对象/秒', objectsOut: '发送 对象/秒',
  mbitIn: '接收 Mbit/s', mbitOut: '发送 Mbit/s', p50: '分发 p50', p99: '分发 p99', skips: '10 秒内跳过', cached: '已缓存',
  graph: (name, least, most) => `最近两分钟的${name}，从 ${least} 到 ${most}`,
  days: (n) => `${n} 天`, hours: (n) => `${n} 小时`, minutes: (n) => `${n} 分`, seconds: (n) => `${n} 秒`,
  'publisher-silent': ({ room }) => `房间 ${room} 的发布端已有 10 秒没有发来任何内容，观众正在等待。`,
  'viewers-skipped': ({ room, count }) => `房间 ${room} 有观众被跳过：最近 10 秒内有 ${count} 个对象没有送达网速过慢的观众。`,
  'analytics-lost': ({ count }) => `分析数据正在丢失：最近 10 秒丢失 ${count} 条。磁盘过慢、已满，或无法写入记录。`,
  'connections-refused': ({ count }) => `中继已满：最近 10 秒拒绝了 ${count} 个连接。请调高 --max-connections，或再启动一台中继。`,
  'handshakes-fail': ({ count }) => `最近 10 秒有 ${count} 次握手失败，超过半数：请检查证书和防火墙，也可能有人在错误地尝试连接。`,
  'datagrams-dropped': ({ count }) => `最近 10 秒有 ${count} 个发给观众的数据报被丢弃。`,
  'cpu-busy': ({ percent }) => `中继占用了全部核心的 ${percent} %：已达到本机极限。`,
  'certificate-ends': ({ hours }) => (hours ? `证书将在 ${hours} 小时后到期：请用 --cert 和 --key 换新证书并重启。` : '证书已到期，新的连接无法建立：请用 --cert 和 --key 换新证书并重启。'),
};

const language = document.documentElement.lang;
const text = language.startsWith('zh') ? chinese : english;
const find = (id) => document.getElementById(id);
for (const element of document.querySelectorAll('[data-text]')) element.textContent = text[element.dataset.text];

const number = (value, digits = 0) => value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const rate = (value) => number(value, value > 0 && value < 10 ? 1 : 0);
const mbit = (value) => number(value, value < 10 ? 2 : value < 100 ? 1 : 0);
const millis = (value) => (value === null ? '–' : `${number(value, value < 1 ? 2 : value < 10 ? 1 : 0)} ms`);
const bytes = (value) => {
  if (value === null) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${number(value, unit > 0 && value < 100 ? 1 : 0)} ${units[unit]}`;
};
const span = (seconds) => {
  const parts = [[86400, text.days], [3600, text.hours], [60, text.minutes], [1, text.seconds]];
  const first = parts.findIndex(([size]) => seconds >= size);
  if (first < 0) return text.seconds(0);
  const shown = [];
  let rest = seconds;
  for (const [size, name] of parts.slice(first, first + 2)) {
    if (Math.floor(rest / size) > 0) shown.push(name(Math.floor(rest / size)));
    rest %= size;
  }
  return shown.join(' ');
};

/** An element with classes and children. */
function make(name, classes, ...children) {
  const element = document.createElement(name);
  if (classes) element.className = classes;
  element.append(...children);
  return element;
}

/** Puts words in place where they changed, so that a screen reader hears only of changes. */
function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

const space = 'http://www.w3.org/2000/svg';

/** A small curve from zero up; the words say the same. */
function curve(svg, name, values, show) {
  const most = Math.max(...values, 0), least = Math.min(...values);
  const top = most > 0 ? most : 1;
  const at = (value, i) => `${((i / Math.max(values.length - 1, 1)) * 100).toFixed(2)},${(29 - (value / top) * 28).toFixed(2)}`;
  const line = values.length > 1 ? `M${values.map(at).join('L')}` : '';
  svg.children[0].setAttribute('d', line && `${line}L100,30L0,30Z`);
  svg.children[1].setAttribute('d', line);
  svg.setAttribute('aria-label', text.graph(name, show(values.length ? least : 0), show(most)));
}

const tiles = new Map();

/** A named number with what belongs to it. */
function tile(id, name, big, more, graph) {
  let parts = tiles.get(id);
  if (!parts) {
    parts = { big: make('dd', 'big'), more: make('dd', 'more') };
    const box = make('div', '', make('dt', '', name), parts.big, parts.more);
    box.id = `tile-${id}`;
    if (graph?.values) {
      parts.svg = document.createElementNS(space, 'svg');
      parts.svg.setAttribute('viewBox', '0 0 100 30');
      parts.svg.setAttribute('preserveAspectRatio', 'none');
      parts.svg.setAttribute('role', 'img');
      for (const kind of ['area', 'line']) {
        const path = document.createElementNS(space, 'path');
        path.setAttribute('class', kind);
        parts.svg.append(path);
      }
      box.append(make('dd', 'graph', parts.svg));
    } else if (graph) {
      parts.bar = make('span');
      const bar = make('div', 'bar', parts.bar);
      bar.setAttribute('aria-hidden', 'true');
      box.append(make('dd', 'graph', bar));
    }
    tiles.set(id, parts);
    find('tiles').append(box);
  }
  say(parts.big, big);
  say(parts.more, more);
  if (parts.svg) curve(parts.svg, name, graph.values, graph.show);
  if (parts.bar) parts.bar.style.width = `${Math.min(100, Math.max(0, graph.part * 100)).toFixed(1)}%`;
}

/** A table that keeps its cells: rows are put in place, and only words that changed are set. */
function table(id, name, empty, heads, rows, total) {
  const place = find(id);
  if (!rows.length) {
    if (place.firstElementChild?.className !== 'empty') place.replaceChildren(make('p', 'empty'));
    say(place.firstElementChild, empty);
    return;
  }
  if (place.firstElementChild?.tagName !== 'TABLE') {
    const head = make('tr', '', ...heads.map((words) => Object.assign(make('th', '', words), { scope: 'col' })));
    place.replaceChildren(make('table', '', make('caption', '', name), make('thead', '', head), make('tbody')), make('p', 'rest'));
  }
  const body = place.querySelector('tbody');
  while (body.rows.length > rows.length) body.lastElementChild.remove();
  rows.forEach((cells, i) => {
    let row = body.rows[i];
    if (!row) {
      row = make('tr', '', Object.assign(make('th'), { scope: 'row' }));
      for (const words of heads.slice(1)) {
        const cell = make('td');
        cell.dataset.name = words;
        row.append(cell);
      }
      body.append(row);
    }
    cells.forEach((cell, j) => {
      const { words, bad } = typeof cell === 'string' ? { words: cell } : cell;
      say(row.cells[j], words);
      row.cells[j].classList.toggle('bad', Boolean(bad));
    });
  });
  say(place.lastElementChild, total > rows.length ? text.more(number(total - rows.length)) : '');
}

const skips = (count) => ({ words: number(count), bad: count > 0 });
const both = (one, other) => `${millis(one)} / ${millis(other)}`;

function show(status) {
  const { sessions, handshakes, traffic, cache, cpu, history } = status;
  say(find('about'), text.about(status.version, span(status.uptimeSeconds)));
  const words = status.warnings.map((warning) => text[warning.code]?.(warning) ?? warning.code);
  const list = find('warnings');
  const items = words.length ? words : [text.fine];
  while (list.children.length > items.length) list.lastElementChild.remove();
  items.forEach((item, i) => {
    const element = list.children[i] ?? list.appendChild(make('li'));
    element.className = words.length ? '' : 'fine';
    say(element, item);
  });
  const percent = (value) => `${number(value, value < 10 ? 1 : 0)} %`;
  const mbits = (value) => `${mbit(value)} Mbit/s`;
  tile('sessions', text.sessions, number(sessions.quic + sessions.webtransport), text.ofConnections(number(sessions.quic), number(sessions.webtransport), number(sessions.connections), number(sessions.maxConnections)), { part: sessions.connections / sessions.maxConnections });
  tile('out', text.out, mbits(traffic.mbitOut), text.perSecond(rate(traffic.objectsOut)), { values: history.mbitOut, show: mbits });
  tile('in', text.in, mbits(traffic.mbitIn), text.perSecond(rate(traffic.objectsIn)), { values: history.mbitIn, show: mbits });
  tile('cpu', text.cpu, cpu.percent === null ? '–' : percent(cpu.percent), text.cpuMore(cpu.cores, cpu.secondsPerObject === null ? null : number(cpu.secondsPerObject * 1e6)), { values: history.cpuPercent, show: percent });
  tile('memory', text.memory, bytes(status.memoryBytes), text.memoryMore, { values: history.memoryBytes, show: bytes });
  tile('cache', text.cache, bytes(cache.bytes), text.cacheMore(bytes(cache.boundBytes), number(cache.hits), number(cache.misses)), { part: cache.boundBytes ? cache.bytes / cache.boundBytes : 0 });
  tile('fanout', text.fanout, both(traffic.fanoutP50Ms, traffic.fanoutP99Ms), text.fanoutMore);
  tile('skipped', text.skipped, number(traffic.skipped), text.skippedMore);
  tile('handshakes', text.handshakes, both(handshakes.p50Ms, handshakes.p99Ms), text.handshakesMore(number(handshakes.started), number(handshakes.failed)));
  table('rooms', text.rooms, text.noRooms, [text.room, text.viewers, text.trackCount, text.objectsOut, text.mbitIn, text.mbitOut, text.p99, text.skips],
    status.rooms.map((room) => [room.name, number(room.viewers), number(room.tracks), rate(room.objectsOut), mbit(room.mbitIn), mbit(room.mbitOut), millis(room.fanoutP99Ms), skips(room.skipped)]), status.roomsTotal);
  table('tracks', text.tracks, text.noTracks, [text.track, text.viewers, text.objectsIn, text.objectsOut, text.mbitIn, text.mbitOut, text.p50, text.p99, text.skips, text.cached],
    status.tracks.map((track) => [track.room === null ? track.name : `${track.room} · ${track.track}`, number(track.viewers), rate(track.objectsIn), rate(track.objectsOut), mbit(track.mbitIn), mbit(track.mbitOut), millis(track.fanoutP50Ms), millis(track.fanoutP99Ms), skips(track.skipped), bytes(track.cacheBytes)]), status.tracksTotal);
  find('main').removeAttribute('aria-busy');
}

let heard = performance.now();

/** Says whether the numbers are of now. */
function connected(state, words) {
  const lamp = state === 'live' ? 'live' : state === 'lost' ? 'lost' : '';
  find('lamp').className = `lamp ${lamp}`;
  find('connection').className = state;
  find('main').classList.toggle('stale', state === 'lost');
  say(find('connection'), words);
}

async function ask() {
  try {
    const answer = await fetch('/status.json', { cache: 'no-store', signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const status = await answer.json();
    try {
      show(status);
    } catch (error) {
      console.error(error);
      return connected('lost', text.unreadable);
    }
    heard = performance.now();
    connected('live', '');
  } catch {
    // In steps, so that it is not read out every second.
    const seconds = Math.round((performance.now() - heard) / 1000);
    connected('lost', text.lost(seconds < 10 ? Math.max(seconds, 1) : Math.floor(seconds / 10) * 10));
  }
}

async function run() {
  connected('loading', text.loading);
  for (;;) {
    // Nobody looks: nothing is asked.
    if (!document.hidden) await ask();
    await new Promise((done) => setTimeout(done, 1000));
  }
}
run();
