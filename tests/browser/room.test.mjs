// The room beside the picture: what one viewer says, the others see, also those who come later.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Room, sleep, until } from './room.mjs';
import { launch, photograph, reaches, visit } from './viewer.mjs';

const PHONE = { viewport: { width: 390, height: 844 }, locale: 'zh-CN', colorScheme: 'dark' };
const field = (page) => page.locator('live-room-panel input').first();
const lines = (page) => page.locator('live-room-panel .list li p span').allTextContents();
const sees = (page, count) => until(`${count} messages are there`, async () => (await lines(page)).length === count);

async function says(page, text) {
  await field(page).fill(text);
  await field(page).press('Enter');
}

describe('a room', { timeout: 120_000 }, () => {
  let browser, room, url;
  const said = ['hello', '你好 <b>not bold</b>', 'and again'];

  before(async () => {
    browser = await launch();
    room = await Room.open();
    room.publishPattern('talk');
    url = room.page('talk');
  });
  after(async () => {
    await browser?.close();
    await room?.close();
  });

  test('two viewers talk, and whoever comes later has read it all and stays', async () => {
    const [ann, bob] = [await visit(browser, url), await visit(browser, url, PHONE)];
    await Promise.all([reaches(ann, 'live'), reaches(bob, 'live')]);
    await says(ann, said[0]);
    await sees(bob, 1);
    await says(bob, said[1]);
    await sees(ann, 2);
    await says(ann, said[2]);
    await Promise.all([sees(ann, 3), sees(bob, 3)]);
    assert.deepEqual(await lines(ann), said, 'plain text, in order, each once');
    assert.deepEqual(await lines(bob), said);

    const late = await visit(browser, url);
    await reaches(late, 'live');
    await sees(late, 3);
    assert.deepEqual(await lines(late), said);
    // One that is sent away and comes back again and again would be counted anew each time.
    await says(late, 'here too');
    await sees(ann, 4);
    await sleep(2_000);
    const { state } = await late.evaluate(() => window.liveRoom.statistics);
    assert.equal(state, 'live');
    await photograph(ann, 'room');
    await photograph(bob, 'room-phone-chinese');
    for (const page of [ann, bob, late]) assert.deepEqual(page.faults, []);
  });
});
