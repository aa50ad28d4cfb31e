// The viewer page in Firefox ESR: the pattern plays, with sound.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { Loudspeaker } from './loudspeaker.mjs';
import { pictures, Room, sleep, until } from './room.mjs';

let browser, room, loudspeaker;
before(async () => {
  room = await Room.open();
  room.publishPattern('demo');
  loudspeaker = await Loudspeaker.open();
  browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    headless: true,
    env: loudspeaker.environment,
  });
});
after(async () => {
  await browser?.close();
  await room?.close();
  await loudspeaker?.close();
});

test('plays the pattern with sound', async () => {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 800 });
  await page.goto(room.page('demo'));
  const statistics = () => page.evaluate(() => window.liveRoom?.statistics ?? null);
  await until('the page is live', async () => (await statistics())?.state === 'live', 40_000);
  const times = [];
  await until('timecodes advance', async () => {
    const time = await page.evaluate(() => window.liveRoom.readTimecode());
    if (time !== null && time !== times.at(-1)) times.push(time);
    return times.length >= 20;
  });
  for (let i = 1; i < times.length; i++) assert.ok(times[i] > times[i - 1], `${times[i - 1]} ${times[i]}`);
  await page.keyboard.press('m');
  await until('sound is heard', async () => (await statistics()).audioLevel > 0.005);
  await sleep(500);
  await page.screenshot({ path: join(pictures, 'firefox.png') });
});
