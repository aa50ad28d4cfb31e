// The viewer page in a Chromium: opened, read and photographed.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { pictures, sleep, until } from './room.mjs';

/** Starts Chromium with its usual rule that sound needs a tap. */
export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--autoplay-policy=document-user-activation-required', '--disable-component-update'],
  });

/** Opens a page in a context of its own; `faults` collects what goes wrong in it. */
export async function open(browser, { before, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...options });
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && page.faults.push(message.text()));
  if (before) await page.addInitScript(before);
  return page;
}

/** Opens a room's page. */
export async function visit(browser, url, options) {
  const page = await open(browser, options);
  await page.goto(url);
  await page.waitForFunction(() => window.liveRoom);
  return page;
}

/** Opens a room's studio. */
export async function run(browser, url, options) {
  const page = await open(browser, options);
  await page.goto(url);
  await page.waitForFunction(() => window.liveStudio);
  return page;
}

/** Evaluates in a page without that counting as a tap, as `page.evaluate` does. */
export async function untouched(page) {
  const session = await page.context().newCDPSession(page);
  return async (expression) => {
    const { result } = await session.send('Runtime.evaluate', { expression, returnByValue: true, userGesture: false });
    return result.value;
  };
}

export const statistics = (page) => page.evaluate(() => window.liveRoom.statistics);
export const timecode = (page) => page.evaluate(() => window.liveRoom.readTimecode());

/** Takes a picture of the page, with what moves by itself at its end, for people to look at. */
export const photograph = (page, name) =>
  page.screenshot({ path: join(pictures, `${name}.png`), animations: 'disabled' });

/** Waits until the page says that it is in a state. */
export async function reaches(page, state, patience) {
  let last;
  try {
    await until(`the page is ${state}`, async () => (last = await statistics(page)).state === state, patience);
  } catch (error) {
    throw new Error(`${error.message}; it is ${JSON.stringify(last)}; ${page.faults.join('\n')}`);
  }
}

/** Timecodes that the canvas shows over some time, each once, in the order of their showing. */
export async function watch(page, milliseconds) {
  const seen = [];
  const deadline = Date.now() + milliseconds;
  while (Date.now() < deadline) {
    const time = await timecode(page);
    if (time !== null && time !== seen.at(-1)) seen.push(time);
    await sleep(20);
  }
  return seen;
}

/** That there are `count` times or more, each later than the one before. */
export function advances(times, count) {
  assert.ok(times.length >= count, `${times.length} pictures were read, of ${count} or more`);
  for (let i = 1; i < times.length; i++) assert.ok(times[i] > times[i - 1], `time goes forward: ${times[i - 1]} ${times[i]}`);
}

/** Hides the page or shows it, as a change of tabs does. */
export const hide = (page, hidden) =>
  page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (hidden ? 'hidden' : 'visible') });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);

/** Fails where the page is wider than its window. */
export async function fits(page) {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
}
