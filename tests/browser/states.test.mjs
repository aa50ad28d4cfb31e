// Every state that the viewer page can tell a person of, reached in Chromium.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { end, Room, until } from './room.mjs';
import { advances, launch, open, photograph, reaches, statistics, visit, watch } from './viewer.mjs';

describe('states that a person understands', () => {
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  /** Runs a test in a room of its own. */
  const inRoom = (what, run, ...relay) =>
    test(what, async () => {
      const room = await Room.open(...relay);
      const pages = [];
      const enter = async (name, options) => {
        const page = await visit(browser, room.page(name), options);
        pages.push(page);
        return page;
      };
      try {
        await run(room, enter);
      } finally {
        for (const page of pages) await page.context().close();
        await room.close();
      }
    });

  inRoom('offline until somebody is on air, then live, then ended', async (room, enter) => {
    const page = await enter('later');
    await reaches(page, 'offline');
    await photograph(page, 'offline');
    const phone = await enter('later', { viewport: { width: 390, height: 844 }, locale: 'zh-CN', colorScheme: 'dark' });
    await reaches(phone, 'offline');
    await photograph(phone, 'phone-offline-chinese-dark');
    const publisher = room.publishPattern('later');
    await reaches(page, 'live', 30_000);
    await end(publisher, 'SIGINT');
    await reaches(page, 'ended');
    await photograph(page, 'ended');
    room.publishPattern('later');
    await reaches(page, 'live', 30_000);
  });

  inRoom('a lost publisher is offline and comes back by itself', async (room, enter) => {
    const publisher = room.publishPattern('demo');
    const page = await enter('demo');
    await reaches(page, 'live', 30_000);
    await end(publisher, 'SIGKILL');
    await reaches(page, 'offline', 30_000);
    await photograph(page, 'offline-after-live');
    room.publishPattern('demo');
    await reaches(page, 'live', 30_000);
    advances(await watch(page, 1500), 10);
  });

  inRoom('a lost relay is tried again until it is back', async (room, enter) => {
    room.publishPattern('demo');
    const page = await enter('demo');
    await reaches(page, 'live', 30_000);
    await room.killRelay();
    await until('the page is not live', async () => (await statistics(page)).state !== 'live', 30_000);
    await reaches(page, 'unreachable', 30_000);
    await photograph(page, 'unreachable');
    await room.startRelay();
    await reaches(page, 'live', 60_000);
  });

  inRoom('a stalled broadcast is buffering', async (room, enter) => {
    const publisher = room.publishPattern('demo');
    const page = await enter('demo');
    await reaches(page, 'live', 30_000);
    publisher.kill('SIGSTOP');
    await reaches(page, 'buffering');
    await photograph(page, 'buffering');
    publisher.kill('SIGCONT');
    await reaches(page, 'live', 30_000);
  });

  inRoom(
    'a room that the relay does not have is not allowed',
    async (_, enter) => {
      const page = await enter('demo');
      await reaches(page, 'not-allowed');
      await page.getByText('room demo is none of this relay').first().waitFor();
      await photograph(page, 'not-allowed');
    },
    '--rooms',
    'class-7',
  );

  inRoom('a browser without WebTransport is told what is missing', async (_, enter) => {
    const page = await enter('demo', { before: () => delete window.WebTransport });
    await reaches(page, 'unsupported');
    await page.getByText('WebTransport').first().waitFor();
    await photograph(page, 'unsupported');
  });

  inRoom('a codec that the browser lacks is told of', async (room, enter) => {
    room.publishPattern('demo');
    const page = await enter('demo', {
      // Its worker gets a decoder that refuses.
      before: () => {
        const module = (text) => URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
        const refusing = module(`self.VideoDecoder = class extends VideoDecoder {
          constructor(init) {
            super(init);
            this.refuse = () => init.error(new DOMException('no such codec', 'NotSupportedError'));
          }
          configure() {
            queueMicrotask(this.refuse);
          }
        };`);
        window.Worker = class extends Worker {
          constructor(url, options) {
            const script = new URL(url, location.href).href;
            super(module(`import ${JSON.stringify(refusing)}; import ${JSON.stringify(script)};`), options);
          }
        };
      },
    });
    await reaches(page, 'unplayable');
    await photograph(page, 'unplayable');
  });

  inRoom('an element without the name of a room asks for one', async (_, enter) => {
    const page = await enter('demo');
    await page.evaluate(() => (window.liveRoom.room = 'no room'));
    await page.getByText('Which room?').first().waitFor();
    await photograph(page, 'no-room');
  });

  /** Opens a page of another site that has a room in its own element. */
  const embed = async (room, element, run) => {
    const origin = new URL(room.page('')).origin;
    const site = createServer((_, answer) => {
      answer.setHeader('content-type', 'text/html; charset=utf-8');
      answer.end(`<!doctype html><script type="module" src="${origin}/live-room.js"></script>
        <main style="max-width: 720px; margin: 40px auto; font: 16px/1.6 Georgia, serif">
          <h1>My own site</h1>
          <p>The lesson is on the air:</p>
          ${element}
          <p>Everything around it is mine.</p>
        </main>
        <script>window.liveRoom = document.querySelector('live-room')</script>`);
    });
    await new Promise((done) => site.listen(0, '127.0.0.1', done));
    const page = await open(browser);
    try {
      await page.goto(`http://127.0.0.1:${site.address().port}/`);
      await page.waitForFunction(() => window.liveRoom?.readTimecode);
      await run(page);
    } finally {
      await page.context().close();
      site.close();
    }
  };

  inRoom('a page of another site plays a room in its own element', async (room) => {
    room.publishPattern('demo');
    const element = `<live-room relay="https://${room.moqt}" cert-hash="${room.certHash}" room="demo" lang="en"></live-room>`;
    await embed(room, element, async (page) => {
      await reaches(page, 'live', 30_000);
      advances(await watch(page, 1500), 10);
      assert.deepEqual(page.faults.filter((fault) => !fault.includes('favicon')), []);
      await photograph(page, 'embedded');
    });
  });

  inRoom('a relay that has not answered yet is being connected to', async (room) => {
    const silent = createSocket('udp4');
    const heard = once(silent, 'message');
    await new Promise((done) => silent.bind(0, '127.0.0.1', done));
    const relay = `https://127.0.0.1:${silent.address().port}`;
    const element = `<live-room relay="${relay}" cert-hash="${room.certHash}" room="demo" lang="en"></live-room>`;
    try {
      await embed(room, element, async (page) => {
        await heard;
        await reaches(page, 'connecting');
        await page.getByText('Connecting').first().waitFor();
        await photograph(page, 'connecting');
      });
    } finally {
      silent.close();
    }
  });
});
