// The viewer page in Chromium: pictures are read back, sound is measured, every control is used.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Room, sleep, until } from './room.mjs';
import { advances, fits, hide, launch, open, photograph, reaches, statistics, timecode, untouched, visit, watch } from './viewer.mjs';

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const PHONE_ON_ITS_SIDE = { ...PHONE, viewport: { width: 844, height: 390 } };

describe('a broadcast', () => {
  let browser, room, page;
  before(async () => {
    browser = await launch();
    room = await Room.open();
    room.publishPattern('demo');
    await sleep(1500);
    page = await visit(browser, room.page('demo'));
  });
  after(async () => {
    await browser?.close();
    await room?.close();
  });
  const player = () => page.locator('live-room');

  test('plays: timecodes on the canvas advance', async () => {
    await reaches(page, 'live');
    advances(await watch(page, 3000), 20);
    await photograph(page, 'live-desktop');
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

  test('is silent until it is tapped, then sounds', async () => {
    const fresh = await open(browser);
    await fresh.goto(room.page('demo'));
    const read = await untouched(fresh);
    const button = `document.querySelector('live-room').shadowRoot.querySelector('.tap')`;
    const place = await until('the page offers sound', () =>
      read(`(() => { const { x, y, width, height } = ${button}?.getBoundingClientRect() ?? {};
        return x > 0 && { x: x + width / 2, y: y + height / 2, says: ${button}.textContent.trim() } })()`),
    );
    assert.equal(place.says, 'Tap to unmute');
    assert.equal(await read('liveRoom.statistics.state'), 'live');
    assert.equal(await read('liveRoom.statistics.audioLevel'), 0);
    await fresh.mouse.move(place.x, place.y);
    await sleep(600);
    await photograph(fresh, 'tap-to-unmute');
    await fresh.mouse.click(place.x, place.y);
    await until('sound is heard', async () => (await statistics(fresh)).audioLevel > 0.005);
    await until('the offer is gone', async () => !(await read(`${button} !== null`)));
    await fresh.keyboard.press('m');
    await fresh.locator('live-room').getByRole('button', { name: 'Unmute' }).waitFor();
    await fresh.context().close();
    await page.keyboard.press('m');
    await until('the first page sounds, too', async () => (await statistics(page)).audioLevel > 0.005);
  });

  test('switches quality at a group boundary, from the menu', async () => {
    await player().getByRole('button', { name: 'Settings' }).click();
    await player().getByRole('radio', { name: /^180p/ }).waitFor();
    await photograph(page, 'menu');
    await player().getByRole('radio', { name: /^360p/ }).click();
    await until('the large rendition plays', async () => (await statistics(page)).height === 360);
    const seen = watch(page, 6000);
    await player().getByRole('radio', { name: /^180p/ }).click();
    await until('the small rendition plays', async () => (await statistics(page)).height === 180);
    const times = await seen;
    advances(times, 30);
    const gap = Math.max(...times.slice(1).map((time, i) => time - times[i])) / 1000;
    assert.ok(gap < 400, `pictures stood still for ${gap} ms`);
    await player().getByRole('radio', { name: /Automatic/ }).click();
    await until('the large one is back', async () => (await statistics(page)).height === 360, 60_000);
    await page.keyboard.press('Escape');
  });

  test('follows the latency slider, and jumps to live', async () => {
    const latency = async () => (await statistics(page)).latencyMs?.p50 ?? 0;
    await player().getByRole('button', { name: 'Settings' }).click();
    await player().getByRole('slider', { name: 'Latency' }).fill('8');
    await until('playback is 1.5 s behind', async () => (await statistics(page)).targetMs === 1500);
    await until('the pictures are, too', async () => (await latency()) > 1300, 30_000);
    await photograph(page, 'latency');
    await player().getByRole('slider', { name: 'Latency' }).fill('1');
    await player().getByRole('button', { name: 'Automatic', exact: true }).click();
    await page.keyboard.press('Escape');
    await page.keyboard.press('l');
    await until('it is close again', async () => (await statistics(page)).behindMs < 200);
    await until('the pictures are, too', async () => (await latency()) < 1000, 30_000);
  });

  test('says how far it is behind', async () => {
    const late = player().getByRole('button', { name: /s behind/ });
    await page.evaluate(() => (window.liveRoom.latency = 2000));
    await until('playback is 2 s behind', async () => (await statistics(page)).latencyMs?.p50 > 1800, 30_000);
    await page.evaluate(() => (window.liveRoom.latency = null));
    await late.click({ timeout: 5000 }).catch(() => undefined);
    await until('it is close again', async () => (await statistics(page)).behindMs < 200);
    await player().getByText('Live', { exact: true }).first().waitFor();
  });

  test('drops pictures while hidden, keeps the sound, and is live again when shown', async () => {
    await hide(page, true);
    await sleep(1500);
    const first = await statistics(page);
    await sleep(1500);
    const second = await statistics(page);
    assert.ok(second.framesDecoded - first.framesDecoded <= 5, `${first.framesDecoded} ${second.framesDecoded}`);
    await until('the sound goes on', async () => (await statistics(page)).audioLevel > 0.005);
    await hide(page, false);
    const shown = Date.now();
    await until('a picture of now is shown', async () => {
      const time = await timecode(page);
      return time !== null && time / 1000 > shown - 200;
    });
    advances(await watch(page, 1500), 10);
  });

  test('pauses, and plays on at the live edge', async () => {
    await page.keyboard.press('k');
    await reaches(page, 'paused');
    await photograph(page, 'paused');
    const paused = Date.now();
    await sleep(1000);
    await page.keyboard.press('k');
    await reaches(page, 'live');
    await until('a picture of now is shown', async () => (await timecode(page)) / 1000 > paused + 500);
  });

  test('shows statistics and help on a key', async () => {
    await page.keyboard.press('s');
    await page.getByText('moqt-18').first().waitFor();
    await sleep(2000);
    await photograph(page, 'statistics');
    await page.keyboard.press('s');
    await page.keyboard.press('?');
    await page.getByText('Keyboard shortcuts').first().waitFor();
    await photograph(page, 'help');
    await page.keyboard.press('Escape');
  });

  test('is dark where the viewer wishes', async () => {
    const dark = await visit(browser, room.page('demo'), { colorScheme: 'dark' });
    await reaches(dark, 'live');
    await dark.locator('live-room').getByRole('button', { name: 'Settings' }).click();
    await photograph(dark, 'menu-dark');
    await dark.context().close();
  });

  test('fits a phone, upright and on its side, in Chinese', async () => {
    const phone = await visit(browser, room.page('demo'), { ...PHONE, locale: 'zh-CN', colorScheme: 'dark' });
    await reaches(phone, 'live');
    await phone.getByText('直播').first().waitFor();
    await photograph(phone, 'phone-chinese-dark');
    await phone.locator('live-room').getByRole('button', { name: '设置' }).tap();
    await phone.getByText('清晰度').first().waitFor();
    await photograph(phone, 'phone-menu-chinese-dark');
    await fits(phone);
    await phone.setViewportSize(PHONE_ON_ITS_SIDE.viewport);
    await sleep(500);
    await photograph(phone, 'phone-side-menu-chinese-dark');
    await phone.keyboard.press('Escape');
    await photograph(phone, 'phone-side-chinese-dark');
    await phone.keyboard.press('s');
    await photograph(phone, 'phone-side-statistics-chinese-dark');
    await fits(phone);
    await phone.context().close();
    const light = await visit(browser, room.page('demo'), PHONE);
    await reaches(light, 'live');
    await light.keyboard.press('s');
    await sleep(500);
    await photograph(light, 'phone-statistics');
    await fits(light);
    await light.context().close();
  });
});
