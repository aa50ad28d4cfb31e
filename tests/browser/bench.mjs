// The page measured in Chromium: glass-to-glass latency and startup, from the page's own statistics.
import { chromium } from 'playwright-core';
import { Room, sleep } from './room.mjs';

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-component-update'],
});
const room = await Room.open();
const row = (what, is, asked) =>
  console.log(`${what.padEnd(58)} ${is.toFixed(1).padStart(5)} ms     ${String(asked).padStart(5)} ms     ${(is / asked).toFixed(2).padStart(7)}`);
try {
  room.publish('demo', '--source', 'pattern', '--rendition', '1280x720@30:2M');
  await sleep(3000);

  const startups = [];
  for (let round = 0; round < 10; round++) {
    const page = await browser.newPage();
    await page.goto(room.page('demo'));
    await page.waitForFunction(() => window.liveRoom?.statistics.startupMs > 0, null, { timeout: 20_000 });
    startups.push(await page.evaluate(() => window.liveRoom.statistics.startupMs));
    await page.close();
  }
  startups.sort((a, b) => a - b);
  row('page: startup p50 of 10', startups[5], 1000);
  row('page: startup p95 of 10', startups[9], 1000);

  const page = await browser.newPage();
  await page.goto(room.page('demo'));
  await page.waitForFunction(() => window.liveRoom?.statistics.state === 'live', null, { timeout: 20_000 });
  await sleep(5000);
  const latencies = [];
  for (let second = 0; second < 20; second++) {
    await sleep(1000);
    latencies.push(await page.evaluate(() => window.liveRoom.statistics.glassToGlassMs));
  }
  latencies.sort((a, b) => a - b);
  row('page: glass-to-glass p50 of 20 s', latencies[10], 150);
} finally {
  await browser.close();
  await room.close();
}
