// The operators' page in Chromium: what it shows of a live room, and that it is live.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { end, pictures, Room, until } from './room.mjs';
import { fits, launch, open, reaches, visit } from './viewer.mjs';

/** The words of one of the page's numbers. */
const tile = (page, id) => page.locator(`#tile-${id} dd.big`).textContent();
const photograph = (page, name) => page.screenshot({ path: join(pictures, `status-${name}.png`), fullPage: true });

describe('the page for operators', () => {
  let browser, room, publisher, viewer;
  const pages = [];
  const enter = async (options) => {
    const page = await open(browser, options);
    pages.push(page);
    await page.goto(room.status);
    await page.locator('main:not([aria-busy])').waitFor();
    return page;
  };

  before(async () => {
    browser = await launch();
    room = await Room.open();
  });
  after(async () => {
    for (const page of pages) await page.context().close();
    await viewer?.context().close();
    await room?.close();
    await browser?.close();
  });

  test('an idle relay says so, then shows a room that goes on air, and its viewers', async () => {
    const page = await enter();
    await page.getByText('No room is on air.').waitFor();
    await page.getByText('Nothing to warn of.').waitFor();
    await photograph(page, 'idle');
    publisher = room.publishPattern('demo');
    viewer = await visit(browser, room.page('demo'));
    await reaches(viewer, 'live', 30_000);
    const row = page.locator('#rooms tbody tr', { hasText: 'demo' });
    await row.waitFor();
    await until('the viewer is counted', async () => (await row.locator('td').first().textContent()) === '1');
    await until('its traffic is told', async () => parseFloat(await tile(page, 'out')) > 0.1);
    const sessions = await page.locator('#tile-sessions').textContent();
    assert.match(sessions, /1 QUIC, 1 WebTransport · 2 of at most 2,000/);
    const tracks = await page.locator('#tracks tbody th').allTextContents();
    assert.ok(tracks.some((name) => /^demo · video/.test(name)), tracks.join());
    assert.match(await tile(page, 'fanout'), /^\d.* ms \/ \d.* ms$/);
    assert.deepEqual(page.faults, []);
    await fits(page);
  });

  test('light, dark, on a phone and in Chinese it fits', async () => {
    for (const [name, options] of [
      ['light', { colorScheme: 'light' }],
      ['dark', { colorScheme: 'dark' }],
      ['phone', { colorScheme: 'light', viewport: { width: 390, height: 844 } }],
      ['phone-dark-chinese', { colorScheme: 'dark', viewport: { width: 390, height: 844 }, locale: 'zh-CN' }],
      ['chinese', { colorScheme: 'light', locale: 'zh-CN' }],
    ]) {
      const page = await enter(options);
      const title = options.locale ? '中继状态' : 'Relay status';
      await page.getByRole('heading', { level: 1, name: title }).waitFor();
      await page.locator('#tracks tbody tr').first().waitFor();
      await fits(page);
      await photograph(page, name);
      assert.deepEqual(page.faults, []);
    }
  });

  test('a lost relay is said to be lost, and the page goes on when it is back', async () => {
    const page = await enter();
    await room.killRelay();
    await page.getByText('Connection lost').waitFor();
    assert.ok(await page.locator('main.stale').count());
    await photograph(page, 'lost');
    await room.startRelay();
    await until('the numbers are of now', async () => (await page.locator('main.stale').count()) === 0, 30_000);
    assert.equal(await page.locator('#connection').textContent(), '');
    await end(publisher, 'SIGINT');
    await page.getByText('No room is on air.').waitFor({ timeout: 30_000 });
  });

  test('the keyboard and a screen reader find their way', async () => {
    const page = await enter();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the numbers');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
    const unnamed = await page.evaluate(() => [...document.querySelectorAll('svg')].filter((svg) => !svg.getAttribute('aria-label')).length);
    assert.equal(unnamed, 0);
    await page.getByRole('region', { name: 'Warnings' }).waitFor();
  });
});
