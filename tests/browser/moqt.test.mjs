// A client that others wrote, @moqt/webtransport, in Chromium against the relay: it publishes on one session and
// watches on others.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Room, until } from './room.mjs';
import { launch, open } from './viewer.mjs';

const library = new URL('node_modules/@moqt/webtransport/dist/browser/index.global.js', import.meta.url);

/** Runs in the page: what the tests below need of the library. */
function laboratory({ url, hash }) {
  const bytes = (text) => new TextEncoder().encode(text);
  const text = (data) => new TextDecoder().decode(data);
  const value = Uint8Array.from(hash.match(/[0-9a-f]{2}/gi), (pair) => parseInt(pair, 16));
  const place = (object) => `${object.groupId}/${object.objectId} ${text(object.payload)}`;
  const connect = async () => {
    const certificate = { algorithm: 'sha-256', value };
    const transport = new WebTransport(url, { protocols: ['moqt-18'], serverCertificateHashes: [certificate] });
    await transport.ready;
    const client = new globalThis.MoqtWebTransport.MoqtConnection(18);
    const seen = { protocol: transport.protocol, messages: [], fetched: [], datagrams: [], errors: [], asked: [] };
    client.onMessage = (message) => seen.messages.push(message);
    client.onObject = (stream, object) => seen.fetched.push(place(object));
    client.onDatagram = (object) => seen.datagrams.push(place(object));
    client.onError = (error) => seen.errors.push(String(error));
    client.onSubscribe = (request, namespace, name) => seen.asked.push({ request, name: text(name) });
    await client.connect(transport);
    return { client, seen };
  };
  const name = (path) => path.split('/').map(bytes);
  /** Subscribes; `got` grows with what comes. */
  const subscribe = async ({ client }, namespace, track, options = {}) => {
    const got = [];
    const onObject = (object) => got.push(place(object));
    const subscription = await client.subscribeTrack(name(namespace), bytes(track), { ...options, onObject });
    return { subscription, got };
  };
  /** A subgroup with these payloads. */
  const send = async ({ client }, alias, group, ...payloads) => {
    const stream = await client.openSubgroup(alias, group, 0n, { firstObject: true });
    for (const [id, payload] of payloads.entries()) await client.sendObject(stream, BigInt(id), bytes(payload));
    await client.closeSubgroup(stream);
  };
  const answers = (session, type) => session.seen.messages.filter((message) => message.type === type).length;
  const wait = async (what, check) => {
    for (const deadline = Date.now() + 10_000; ; await new Promise((done) => setTimeout(done, 10))) {
      const found = check();
      if (found) return found;
      if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    }
  };
  globalThis.lab = { answers, bytes, connect, name, send, subscribe, text, wait };
}

describe('@moqt/webtransport in Chromium', () => {
  let browser, room, page;
  before(async () => {
    browser = await launch();
    room = await Room.open('--open');
    page = await open(browser);
    await page.goto(new URL('/healthz', room.page('lab')).href);
    const source = readFileSync(library, 'utf8');
    await page.evaluate(`globalThis.MoqtWebTransport = (() => { ${source}\nreturn MoqtWebTransport })()`);
    await page.evaluate(laboratory, { url: `https://${room.moqt}/`, hash: room.certHash });
  });
  after(async () => {
    await browser?.close();
    await room?.close();
  });

  test('sets up, announces a namespace, and is subscribed to by way of the relay', async () => {
    const seen = await page.evaluate(async () => {
      const publisher = (lab.publisher = await lab.connect());
      const viewer = (lab.viewer = await lab.connect());
      await publisher.client.publishNamespace(lab.name('lab/desk'));
      await lab.wait('the namespace', () => lab.answers(publisher, 'REQUEST_OK') === 1);
      const watching = lab.subscribe(viewer, 'lab/desk', 'notes');
      const asked = await lab.wait('a SUBSCRIBE', () => publisher.seen.asked[0]);
      await publisher.client.acceptSubscribe(asked.request, 7n);
      lab.notes = await watching;
      await lab.send(publisher, 7n, 1n, 'zero', 'one');
      await lab.wait('two objects', () => lab.notes.got.length === 2);
      return { name: asked.name, got: lab.notes.got, protocol: viewer.seen.protocol };
    });
    assert.deepEqual(seen, { name: 'notes', got: ['1/0 zero', '1/1 one'], protocol: 'moqt-18' });
  });

  test('fetches a range', async () => {
    const fetched = await page.evaluate(async () => {
      const { client, seen } = lab.viewer;
      const range = { startGroup: 1n, startObject: 1n, endGroup: 1n, endObject: 2n };
      await client.fetch(lab.name('lab/desk'), lab.bytes('notes'), range);
      await lab.wait('FETCH_OK', () => lab.answers(lab.viewer, 'FETCH_OK') === 1);
      await lab.wait('an object', () => seen.fetched.length === 1);
      return seen.fetched;
    });
    assert.deepEqual(fetched, ['1/1 one']);
  });

  test('joins a track late, with a fetch of its newest group', async () => {
    const late = await page.evaluate(async () => {
      const late = (lab.late = await lab.connect());
      const filter = { type: 'LargestObject' };
      const { subscription, got } = await lab.subscribe(late, 'lab/desk', 'notes', { filter });
      lab.joined = got;
      const joiningRequestId = subscription.requestId;
      await late.client.joiningFetch({ joiningFetchType: 'relative', joiningRequestId, joiningStart: 0n });
      await lab.wait('the past', () => late.seen.fetched.length === 2);
      await lab.send(lab.publisher, 7n, 2n, 'two');
      await lab.wait('the present', () => got.length === 1);
      return { past: late.seen.fetched, present: got, asked: lab.publisher.seen.asked.length };
    });
    assert.deepEqual(late, { past: ['1/0 zero', '1/1 one'], present: ['2/0 two'], asked: 1 });
  });

  test('sends datagrams, and receives them', async () => {
    const datagrams = await page.evaluate(async () => {
      const { publisher, viewer } = lab;
      const watching = lab.subscribe(viewer, 'lab/desk', 'taps');
      const asked = await lab.wait('a SUBSCRIBE', () => publisher.seen.asked[1]);
      await publisher.client.acceptSubscribe(asked.request, 8n);
      await watching;
      for (let id = 0n; id < 3n; id += 1n) {
        await publisher.client.sendDatagram(8n, 4n, id, lab.bytes(`tap ${id}`));
        await lab.wait('a datagram', () => viewer.seen.datagrams.length === Number(id) + 1);
      }
      return viewer.seen.datagrams;
    });
    assert.deepEqual(datagrams, ['4/0 tap 0', '4/1 tap 1', '4/2 tap 2']);
  });

  test('publishes a track, which is accepted and forwarded to who wants all tracks there', async () => {
    const seen = await page.evaluate(async () => {
      const { publisher, viewer } = lab;
      const pushed = [];
      viewer.client.onPublish = async (offer) => {
        offer.onObject = (object) => pushed.push(`${lab.text(offer.trackName)} ${object.groupId}/${object.objectId}`);
        await viewer.client.acceptSubscribe(offer.requestId, offer.trackAlias);
      };
      await viewer.client.subscribeTracks(lab.name('stage'));
      await lab.wait('the answer', () => lab.answers(viewer, 'REQUEST_OK') === 1);
      await publisher.client.publish(lab.name('stage/left'), lab.bytes('mic'), 77n);
      await lab.wait('PUBLISH_OK', () => lab.answers(publisher, 'REQUEST_OK') === 2);
      await lab.send(publisher, 77n, 5n, 'sound');
      await lab.wait('what was published', () => pushed.length === 1);
      const direct = await lab.subscribe(lab.late, 'stage/left', 'mic');
      await lab.wait('the same for who subscribes', () => direct.got.length === 1);
      return { pushed, direct: direct.got };
    });
    assert.deepEqual(seen, { pushed: ['mic 5/0'], direct: ['5/0 sound'] });
  });

  test('pauses and resumes a subscription', async () => {
    const got = await page.evaluate(async () => {
      const { viewer, publisher, notes } = lab;
      const { requestId } = notes.subscription;
      const update = async (forward) => {
        const before = lab.answers(viewer, 'REQUEST_OK');
        await viewer.client.requestUpdate(requestId, { forward });
        await lab.wait('REQUEST_OK', () => lab.answers(viewer, 'REQUEST_OK') === before + 1);
      };
      const before = notes.got.length;
      await update(0n);
      // Another one tells that the relay has it: connections overtake each other.
      await lab.send(publisher, 7n, 10n, 'unseen');
      await lab.wait('the relay has it', () => lab.joined.some((place) => place.startsWith('10/')));
      await update(1n);
      await lab.send(publisher, 7n, 11n, 'seen');
      await lab.wait('what follows', () => notes.got.some((place) => place.startsWith('11/')));
      return notes.got.slice(before);
    });
    assert.deepEqual(got, ['11/0 seen']);
  });

  test('is refused what is not there, with the reason', async () => {
    const refused = await page.evaluate(() =>
      lab.subscribe(lab.viewer, 'nowhere', 'nothing').then(() => 'granted', (error) => String(error)),
    );
    assert.match(refused, /nobody publishes nowhere/);
    assert.match(refused, /16/, 'DOES_NOT_EXIST');
  });

  test('is asked to leave when the relay stops', async () => {
    room.interruptRelay();
    const goaway = await until('GOAWAY came', () =>
      page.evaluate(() => {
        const goaway = lab.viewer.seen.messages.find(({ type }) => type === 'GOAWAY');
        return goaway && { uri: goaway.newSessionUri?.length ?? 0, errors: lab.viewer.seen.errors };
      }),
    );
    assert.deepEqual(goaway, { uri: 0, errors: [] });
  });
});
