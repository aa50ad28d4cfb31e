// The viewer page in Chromium: pictures are read back, sound is measured, every state is reached.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { end, pictures, Room, sleep, until } from './room.mjs';

let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--autoplay-policy=user-gesture-required', '--disable-component-update'],
  });
});
after(() => browser?.close());

/** Opens a page and collects what goes wrong in it. */
async function visit(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...options });
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && page.faults.push(message.text()));
  if (options.before) await page.addInitScript(options.before);
  await page.goto(url);
  await page.waitForFunction(() => window.liveRoom);
  return page;
}

const statistics = (page) => page.evaluate(() => window.liveRoom.statistics);
const timecode = (page) => page.evaluate(() => window.liveRoom.readTimecode());
const picture = (page, name) => page.screenshot({ path: join(pictures, `${name}.png`) });

async function reaches(page, state, patience) {
  let last;
  try {
    await until(`the page is ${state}`, async () => (last = await statistics(page)).state === state, patience);
  } catch (error) {
    throw new Error(`${error.message}; it is ${JSON.stringify(last)}; ${page.faults.join('\n')}`);
  }
}

/** Timecodes that the canvas shows over some time, each once, in the order of their showing. */
async function watch(page, milliseconds) {
  const seen = [];
  const deadline = Date.now() + milliseconds;
  while (Date.now() < deadline) {
    const time = await timecode(page);
    if (time !== null && time !== seen.at(-1)) seen.push(time);
    await sleep(20);
  }
  return seen;
}

function advances(times, count) {
  assert.ok(times.length >= count, `${times.length} pictures were read, of ${count} or more`);
  for (let i = 1; i < times.length; i++) assert.ok(times[i] > times[i - 1], `time goes forward: ${times[i - 1]} ${times[i]}`);
}

describe('a broadcast', () => {
  let room, page;
  before(async () => {
    room = await Room.open();
    room.publishPattern('demo');
    await sleep(1500);
    page = await visit(room.page('demo'));
  });
  after(async () => {
    await page?.context().close();
    await room?.close();
  });

  test('plays: timecodes on the canvas advance', async () => {
    await reaches(page, 'live');
    advances(await watch(page, 3000), 20);
    await picture(page, 'live-desktop');
    assert.deepEqual(page.faults, []);
  });

  test('tells how it plays', async () => {
    await sleep(1000);
    const now = await statistics(page);
    assert.equal(now.protocol, 'moqt-18');
    assert.match(now.codec, /^avc1\./);
    assert.ok(now.framesDecoded > 30, JSON.stringify(now));
    assert.ok(now.glassToGlassMs > 0 && now.glassToGlassMs < 5000, JSON.stringify(now));
  });

  test('sounds after a tap', async () => {
    await page.locator('live-room').getByRole('button', { name: /sound|unmute/i }).first().click();
    const loudest = await until('sound is heard', async () => ((await statistics(page)).audioLevel > 0.005 ? true : null));
    assert.ok(loudest);
  });

  test('switches quality at a group boundary', async () => {
    const lower = await page.evaluate(() => {
      window.liveRoom.quality = '180p';
      return window.liveRoom.quality;
    });
    assert.equal(lower, '180p');
    const seen = watch(page, 5000);
    await until('the small rendition plays', async () => /180p/.test((await statistics(page)).rendition));
    advances(await seen, 30);
    await page.evaluate(() => (window.liveRoom.quality = 'auto'));
    await until('the large one is back', async () => /360p/.test((await statistics(page)).rendition), 30_000);
  });

  test('drops pictures while hidden, keeps the sound, and is live again when shown', async () => {
    const hide = (hidden) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
        Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (hidden ? 'hidden' : 'visible') });
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);
    await hide(true);
    await sleep(1500);
    const first = await statistics(page);
    await sleep(1500);
    const second = await statistics(page);
    assert.ok(second.framesDecoded - first.framesDecoded <= 5, `${first.framesDecoded} ${second.framesDecoded}`);
    assert.ok(second.audioLevel > 0.001, 'the sound goes on');
    await hide(false);
    const shown = Date.now();
    const time = await until('a picture of now is shown', async () => {
      const time = await timecode(page);
      return time !== null && time / 1000 > shown - 200 ? time : null;
    });
    assert.ok(time);
    advances(await watch(page, 1500), 10);
  });

  test('shows statistics and help on a key, in the dark and on a phone, in English and Chinese', async () => {
    await page.keyboard.press('s');
    await page.getByText('moqt-18').first().waitFor();
    await picture(page, 'statistics');
    await page.keyboard.press('s');
    const phone = await visit(room.page('demo'), {
      viewport: { width: 390, height: 844 },
      locale: 'zh-CN',
      colorScheme: 'dark',
      hasTouch: true,
      isMobile: true,
    });
    await reaches(phone, 'live');
    await phone.getByText('直播').first().waitFor();
    await picture(phone, 'live-phone-chinese-dark');
    const overflow = await phone.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
    await phone.context().close();
  });
});

describe('states that a person understands', () => {
  test('offline until somebody is on air, then live, then ended', async () => {
    const room = await Room.open();
    try {
      const page = await visit(room.page('later'));
      await reaches(page, 'offline');
      await picture(page, 'offline');
      const publisher = room.publishPattern('later');
      await reaches(page, 'live', 30_000);
      await end(publisher, 'SIGINT');
      await reaches(page, 'ended');
      await picture(page, 'ended');
      room.publishPattern('later');
      await reaches(page, 'live', 30_000);
      await page.context().close();
    } finally {
      await room.close();
    }
  });

  test('a lost publisher is offline and comes back by itself', async () => {
    const room = await Room.open();
    try {
      const publisher = room.publishPattern('demo');
      const page = await visit(room.page('demo'));
      await reaches(page, 'live', 30_000);
      await end(publisher, 'SIGKILL');
      await reaches(page, 'offline', 30_000);
      room.publishPattern('demo');
      await reaches(page, 'live', 30_000);
      advances(await watch(page, 1500), 10);
      await page.context().close();
    } finally {
      await room.close();
    }
  });

  test('a lost relay is tried again until it is back', async () => {
    const room = await Room.open();
    try {
      room.publishPattern('demo');
      const page = await visit(room.page('demo'));
      await reaches(page, 'live', 30_000);
      await room.killRelay();
      await until('the page is not live', async () => (await statistics(page)).state !== 'live', 30_000);
      await until('the page tries again', async () => ['connecting', 'unreachable'].includes((await statistics(page)).state), 30_000);
      await picture(page, 'connecting');
      await room.startRelay();
      await reaches(page, 'live', 60_000);
      await page.context().close();
    } finally {
      await room.close();
    }
  });

  test('a stalled broadcast is buffering', async () => {
    const room = await Room.open();
    try {
      const publisher = room.publishPattern('demo');
      const page = await visit(room.page('demo'));
      await reaches(page, 'live', 30_000);
      publisher.kill('SIGSTOP');
      await reaches(page, 'buffering');
      await picture(page, 'buffering');
      publisher.kill('SIGCONT');
      await reaches(page, 'live', 30_000);
      await page.context().close();
    } finally {
      await room.close();
    }
  });

  test('a room that the relay does not have is not allowed', async () => {
    const room = await Room.open('--rooms', 'class-7');
    try {
      const page = await visit(room.page('demo'));
      await reaches(page, 'not-allowed');
      await picture(page, 'not-allowed');
      await page.context().close();
    } finally {
      await room.close();
    }
  });

  test('a browser without WebTransport is told what is missing', async () => {
    const room = await Room.open();
    try {
      const page = await visit(room.page('demo'), { before: () => delete window.WebTransport });
      await reaches(page, 'unsupported');
      await page.getByText('WebTransport').first().waitFor();
      await picture(page, 'unsupported');
      await page.context().close();
    } finally {
      await room.close();
    }
  });
});
