// The room beside the picture: what one viewer says, the others see, also those who come later.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Room, sleep, until } from './room.mjs';
import { launch, photograph, reaches, visit } from './viewer.mjs';

const PHONE = { viewport: { width: 390, height: 844 }, locale: 'zh-CN', colorScheme: 'dark' };
const field = (page) => page.locator('room-composer input');
const board = (page) => page.evaluate(() => window.liveRoom.board);
const shows = (page, what, check) => until(what, async () => check(await board(page)));
/** As a host does, from a page that has its token. */
const acts = (page, say) => page.evaluate((say) => window.liveRoom.say(say), say);
const lines = (page) => page.locator('room-chat .list li p span').allTextContents();
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

  test('likes, names, hands and bullets are seen by the other', async () => {
    const name = 'social';
    room.publishPattern(name);
    const [ann, bob, host] = [await visit(browser, room.page(name)), await visit(browser, room.page(name)), await visit(browser, `${room.page(name)}#token=${room.token(name, 'host')}`)];
    await Promise.all([ann, bob, host].map((page) => shows(page, 'it is joined', ({ you, link }) => you && link === 'joined')));
    await acts(host, { kind: 'mode', features: { ...(await board(host)).state.mode.features, hands: true } });

    for (let tap = 0; tap < 3; tap++) await ann.getByRole('button', { name: /^Like/ }).click();
    await ann.getByRole('button', { name: 'More reactions' }).click();
    await ann.getByRole('button', { name: /^Applause/ }).click();
    await shows(bob, 'the likes are counted', ({ tally }) => tally.totals.like === 3 && tally.totals.clap === 1);

    await ann.getByRole('button', { name: /^Change your name/ }).click();
    await ann.locator('room-me input').fill('Ann 安');
    await ann.locator('room-me input').press('Enter');
    await shows(ann, 'the name is hers', ({ you }) => you.name === 'Ann 安');
    await ann.getByRole('button', { name: 'Raise hand' }).click();
    await shows(host, 'the hand is up', ({ state }) => state.hands[0]?.name === 'Ann 安');
    await acts(host, { kind: 'lowerHands' });
    await ann.getByRole('button', { name: 'Raise hand' }).waitFor();

    await ann.getByRole('button', { name: 'Over the picture' }).click();
    await ann.getByRole('radio', { name: '#ffd93d' }).click();
    await says(ann, 'over it 弹幕');
    const drawn = () => {
      const canvas = document.querySelector('live-room').shadowRoot.querySelector('canvas.danmaku');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value, at) => at % 4 === 3 && value > 0);
    };
    await until('the bullet is drawn', () => bob.evaluate(drawn));
    await photograph(bob, 'room-danmaku');
    await ann.reload();
    await shows(ann, 'the name is kept', ({ you }) => you?.name === 'Ann 安');
    for (const page of [ann, bob, host]) {
      assert.deepEqual(page.faults, []);
      await page.context().close();
    }
  });

  test('what is refused stays in the field, and a wait is counted down', async () => {
    const name = 'slow';
    room.publishPattern(name);
    const [ann, host] = [await visit(browser, room.page(name)), await visit(browser, `${room.page(name)}#token=${room.token(name, 'host')}`)];
    await Promise.all([ann, host].map((page) => shows(page, 'it is joined', ({ you, link }) => you && link === 'joined')));
    await acts(host, { kind: 'mode', blockedWords: ['spam'], slowSeconds: 3 });
    await shows(ann, 'it is slow', ({ state }) => state.mode.slowSeconds === 3);
    await says(ann, 's p a m');
    await ann.getByText('Not allowed here').waitFor();
    await until('the text is back', async () => (await field(ann).inputValue()) === 's p a m');
    await until('the wait is shown', async () => /in \d s/.test(await ann.locator('room-composer .send').textContent()));
    await photograph(ann, 'room-refused');
    await until('the wait is over', async () => (await ann.locator('room-composer .send').textContent()).trim() === 'Send');
    await says(ann, 'ham');
    await shows(host, 'it is there', ({ messages }) => messages.at(-1)?.text === 'ham');
    for (const page of [ann, host]) await page.context().close();
  });

  test('a relay that is killed and started again has the room as it was', async () => {
    const name = 'again';
    room.publishPattern(name);
    const ann = await visit(browser, room.page(name));
    const host = await visit(browser, `${room.page(name)}#token=${room.token(name, 'host')}`);
    await Promise.all([ann, host].map((page) => shows(page, 'it is joined', ({ you, link }) => you && link === 'joined')));
    await acts(host, { kind: 'notice', text: 'Back in five' });
    await acts(host, { kind: 'poll', act: 'open', question: 'Tea?', choices: ['yes', 'no'] });
    await says(ann, 'before');
    await shows(host, 'all of it is there', ({ messages, state }) => messages.length === 1 && state.notice && state.polls.length === 1);
    await sleep(1_500);
    await room.killRelay();
    await until('the room is lost', async () => (await board(ann)).link === 'lost');
    await says(ann, 'while it is down');
    await room.startRelay();
    for (const page of [ann, host]) {
      await shows(page, 'the room is as it was', ({ messages, state, link }) =>
        link === 'joined' && JSON.stringify(messages.map(({ text }) => text)) === '["before","while it is down"]' &&
        state.notice?.text === 'Back in five' && state.polls[0]?.question === 'Tea?');
    }
    const late = await visit(browser, room.page(name));
    await shows(late, 'a late joiner sees it', ({ messages, state }) => messages.length === 2 && state.notice?.text === 'Back in five');
    for (const page of [ann, host, late]) await page.context().close();
  });
});
