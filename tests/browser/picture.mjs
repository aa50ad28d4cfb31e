// Takes the picture in the README: the page playing the pattern, with its statistics.
import { resolve } from 'node:path';
import { Room, sleep, until } from './room.mjs';
import { launch, reaches, statistics, visit } from './viewer.mjs';

const room = await Room.open();
const browser = await launch();
try {
  room.publish('demo', '--source', 'pattern', '--rendition', '1280x720@30:2M', '--rendition', '640x360@30:600k');
  await sleep(2000);
  const page = await visit(browser, room.page('demo'));
  await reaches(page, 'live');
  await page.keyboard.press('m');
  await until('sound is heard', async () => (await statistics(page)).audioLevel > 0.005);
  await page.keyboard.press('s');
  await sleep(15_000);
  const path = resolve(import.meta.dirname, '../../player/web/docs/page.png');
  await page.screenshot({ path, animations: 'disabled' });
  console.log(path);
} finally {
  await browser.close();
  await room.close();
}
