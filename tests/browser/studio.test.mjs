// The studio: what a host does there, as the host and a viewer see it.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Room, until } from './room.mjs';
import { fits, launch, open, photograph, reaches, run, visit } from './viewer.mjs';

const PHONE = { viewport: { width: 390, height: 844 }, locale: 'zh-CN', colorScheme: 'dark' };
const board = (page) => page.evaluate(() => (window.liveRoom ?? window.liveStudio).board);
const said = async (page) => (await board(page)).messages.map(({ text }) => text);
const sees = (page, texts) => until(`the chat is ${texts}`, async () => JSON.stringify(await said(page)) === JSON.stringify(texts));
const shows = (page, what, check) => until(what, async () => check(await board(page)));
const tab = (page, name) => page.locator('live-studio').getByRole('tab', { name }).click();

async function says(page, text) {
  await page.locator('room-composer input').fill(text);
  await page.locator('room-composer input').press('Enter');
}

describe('the studio', { timeout: 180_000 }, () => {
  let browser, room, host, viewer, count = 0;

  before(async () => {
    browser = await launch();
    room = await Room.open();
  });
  after(async () => {
    await browser?.close();
    await room?.close();
  });
  beforeEach(async () => {
    await host?.context().close();
    await viewer?.context().close();
    const name = `show-${++count}`;
    room.publishPattern(name);
    host = await run(browser, room.studio(name, 'host', '--name', 'Ada'));
    host.room = name;
    viewer = await visit(browser, room.page(name));
    await reaches(viewer, 'live');
    await Promise.all([host, viewer].map((page) => shows(page, 'it is joined', ({ you, link }) => you && link === 'joined')));
  });

  test('the token leaves the address, and a reload stays in', async () => {
    assert.equal(new URL(host.url()).hash, '');
    await host.reload();
    await shows(host, 'the host is back', ({ you }) => you?.role === 'host');
    await photograph(host, 'studio');
    await host.getByRole('button', { name: 'Forget the token' }).click();
    await host.locator('studio-entrance input').waitFor();
    await host.reload();
    await host.locator('studio-entrance input').waitFor();
    assert.deepEqual(host.faults, []);
  });

  test('whoever is no host is told what to do', async () => {
    const page = await run(browser, room.studio(host.room, 'viewer'));
    await page.getByText('This token is a viewer’s').waitFor();
    await page.getByText(`relay token --room ${host.room} --role host`).waitFor();
    await page.locator('studio-entrance input').fill('no token');
    await page.getByRole('button', { name: 'Enter the studio' }).click();
    await page.getByText('neither a token nor a link').waitFor();
    await photograph(page, 'studio-entrance');
    await page.locator('studio-entrance input').fill(room.studio(host.room, 'moderator'));
    await page.getByRole('button', { name: 'Enter the studio' }).click();
    await shows(page, 'the moderator is in', ({ you }) => you?.role === 'moderator');
    const nowhere = await open(browser);
    assert.equal((await nowhere.goto(new URL('/studio/no%20room', room.page('x')).href)).status(), 404);
    await Promise.all([page, nowhere].map((one) => one.context().close()));
  });

  test('messages are deleted by key, their writer is muted by click, and both see it', async () => {
    await says(viewer, 'one');
    await says(viewer, 'two');
    await sees(host, ['one', 'two']);
    await host.locator('studio-chat [data-message]').first().focus();
    await host.keyboard.press('d');
    await Promise.all([host, viewer].map((page) => sees(page, ['two'])));
    assert.equal(await host.evaluate(() => document.activeElement?.shadowRoot?.querySelector('studio-chat')?.shadowRoot?.activeElement?.textContent.includes('two')), true);
    const row = host.locator('studio-chat [data-message]').first();
    await row.hover();
    await row.getByRole('button', { name: 'Mute' }).click();
    await row.getByRole('button', { name: '10 minutes' }).click();
    await shows(viewer, 'the viewer knows', ({ you }) => you.mutedUntil > Date.now());
    await viewer.getByText('You are muted until').waitFor();
    await tab(host, 'People');
    await host.locator('studio-people').getByRole('button', { name: 'Let speak' }).click();
    await shows(viewer, 'the viewer may speak', ({ you }) => !(you.mutedUntil > Date.now()));
    await says(viewer, 'three');
    await sees(host, ['two', 'three']);
    await shows(host, 'the log has it', ({ desk }) => desk.acts.some(({ act }) => act === 'mute') && desk.acts.some(({ act }) => act === 'delete'));
    await photograph(host, 'studio-people');
  });

  test('a ban ends it for the viewer', async () => {
    await says(viewer, 'spam');
    await sees(host, ['spam']);
    await host.locator('studio-chat [data-message]').first().focus();
    await host.keyboard.press('b');
    await host.keyboard.press('Enter');
    await sees(host, []);
    await until('the viewer is out', async () => (await viewer.evaluate(() => window.liveRoom.statistics.state)) === 'not-allowed' || (await board(viewer)).link === 'denied');
  });

  test('what waits is approved or dropped', async () => {
    await tab(host, 'Rules');
    await host.locator('studio-rules').getByRole('button', { name: 'Everything' }).click();
    await shows(viewer, 'everything waits', ({ state }) => state.mode.approval === 'all');
    await says(viewer, 'good');
    await shows(host, 'it waits', ({ desk }) => desk.waiting.length === 1);
    assert.deepEqual(await said(viewer), []);
    await host.locator('studio-chat [data-waiting]').focus();
    await photograph(host, 'studio-waiting');
    await host.keyboard.press('a');
    await sees(viewer, ['good']);
  });

  test('a question is put on screen, a poll is run, a product is shown', async () => {
    await viewer.locator('live-room-panel').getByRole('tab', { name: 'Questions' }).click();
    await says(viewer, 'Why QUIC?');
    await tab(host, 'Questions');
    await host.locator('studio-questions').getByRole('button', { name: 'Put on screen' }).click();
    await viewer.locator('live-room-overlay .question', { hasText: 'Why QUIC?' }).waitFor();

    await tab(host, 'Polls');
    const polls = host.locator('studio-polls');
    await polls.locator('[name=question]').fill('Which one?');
    await polls.locator('[name=choice]').first().fill('this');
    await polls.locator('[name=choice]').last().fill('that');
    await polls.getByText('It is a quiz').click();
    await polls.locator('[name=right]').last().check();
    await polls.getByRole('button', { name: 'Start' }).click();
    await viewer.locator('live-room-panel').getByRole('tab', { name: /Polls/ }).click();
    await viewer.getByRole('button', { name: 'that' }).click();
    await shows(host, 'one voted', ({ state }) => state.polls[0].voters === 1);
    assert.equal((await board(viewer)).state.polls[0].votes, null, 'a quiz hides its votes');
    await polls.getByRole('button', { name: 'Reveal' }).click();
    await viewer.getByText('✓ right · your choice').waitFor();
    await photograph(host, 'studio-polls');

    await tab(host, 'Rules');
    await host.locator('studio-rules').getByRole('checkbox', { name: 'Products' }).check();
    await tab(host, 'Products');
    const products = host.locator('studio-products');
    await products.locator('[name=title]').fill('A <b>lamp</b>');
    await products.locator('[name=price]').fill('¥ 99');
    await products.locator('[name=link]').fill('javascript:alert(1)');
    await products.getByRole('button', { name: 'Add' }).click();
    await products.getByText('It must begin with https').waitFor();
    await products.locator('[name=link]').fill('https://shop.example/lamp');
    await products.getByRole('button', { name: 'Add' }).click();
    await products.getByRole('button', { name: 'Show to viewers' }).click();
    const card = viewer.locator('live-room-overlay .product');
    await card.getByText('A <b>lamp</b>').waitFor();
    assert.equal(await card.getByRole('link').getAttribute('href'), 'https://shop.example/lamp');
    assert.equal(await viewer.locator('live-room-overlay b b').count(), 0, 'markup stays text');
    await photograph(host, 'studio-products');
    await photograph(viewer, 'room-product');
    await products.getByRole('button', { name: 'Take down' }).click();
    await card.waitFor({ state: 'detached' });
    for (const page of [host, viewer]) assert.deepEqual(page.faults, []);
  });

  test('it fits a phone, in Chinese and in the dark', async () => {
    const phone = await run(browser, room.studio(host.room), PHONE);
    await shows(phone, 'it is joined', ({ you }) => you?.role === 'host');
    await says(viewer, '你好，主播');
    await sees(phone, ['你好，主播']);
    await fits(phone);
    await photograph(phone, 'studio-phone-chinese');
    await phone.getByRole('tab', { name: '规则' }).click();
    await phone.locator('studio-rules').getByText('慢速模式').waitFor();
    await fits(phone);
    await photograph(phone, 'studio-phone-rules');
    assert.deepEqual(phone.faults, []);
    await phone.context().close();
  });
});
