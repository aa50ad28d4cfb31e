// A live room of real programs for a browser to visit: relay, publishers, and their ends.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const top = resolve(import.meta.dirname, '../..');
const programs = resolve(top, process.env.PROGRAMS ?? 'target/debug');
/** Where pictures of the page are kept, for people to look at. */
export const pictures = join(top, '.cache/test/pictures');
mkdirSync(pictures, { recursive: true });

/** A relay on free ports with an empty data folder. */
export class Room {
  #folder = mkdtempSync(join(tmpdir(), 'live-room-'));
  #relay;
  #publishers = new Set();
  #ready;

  /** Starts the relay with further arguments. */
  static async open(...more) {
    const room = new Room();
    await room.#serve('127.0.0.1:0', '127.0.0.1:0', more);
    return room;
  }

  /** URL of a room's page. */
  page(name) {
    return `http://${this.#ready.http}/${name}`;
  }

  /** URL of a room's studio for a role; with `#token=`. */
  studio(name, role = 'host', ...more) {
    return `http://${this.#ready.http}/studio/${name}#token=${this.token(name, role, ...more)}`;
  }

  /** Address of what operators are told. */
  get status() {
    return `http://${this.#ready.status}/status`;
  }

  get certHash() {
    return this.#ready.certHash;
  }

  get moqt() {
    return this.#ready.moqt;
  }

  /** Goes on air; the answer is the running publisher. */
  publish(name, ...more) {
    const to = ['--relay', `moqt://${this.#ready.moqt}`, '--cert-hash', this.#ready.certHash, '--room', name];
    const publisher = start('publisher', [...to, '--token', this.token(name, 'host'), ...more]);
    this.#publishers.add(publisher);
    return publisher;
  }

  /** A token of this relay for a room. */
  token(name, role, ...more) {
    const data = join(this.#folder, 'data');
    const args = ['token', '--room', name, '--role', role, '--data', data, ...more];
    return execFileSync(join(programs, 'relay'), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  }

  /** The pattern in two sizes. */
  publishPattern(name, ...more) {
    const ladder = ['--rendition', '640x360@30:800k', '--rendition', '320x180@30:250k'];
    return this.publish(name, '--source', 'pattern', ...ladder, ...more);
  }

  /** Kills the relay without a word. */
  async killRelay() {
    await end(this.#relay, 'SIGKILL');
  }

  /** Asks the relay to stop, as Ctrl-C does. */
  interruptRelay() {
    this.#relay.kill('SIGINT');
  }

  /** Starts the relay again where it was. */
  async startRelay() {
    await this.#serve(this.#ready.moqt, this.#ready.http, ['--status', this.#ready.status]);
  }

  /** Ends everything. */
  async close() {
    await Promise.all([...this.#publishers].map((publisher) => end(publisher, 'SIGKILL')));
    await end(this.#relay, 'SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #serve(listen, http, more) {
    const data = join(this.#folder, 'data');
    this.#relay = start('relay', ['serve', '--data', data, '--listen', listen, '--http', http, ...more]);
    const lines = createInterface({ input: this.#relay.stdout });
    const line = await Promise.race([
      once(lines, 'line').then(([text]) => text),
      once(this.#relay, 'exit').then(() => Promise.reject(new Error(`the relay ended\n${this.#relay.said}`))),
    ]);
    this.#ready = JSON.parse(line);
  }
}

/** Ends a program with a signal and waits for its exit code. */
export async function end(program, signal = 'SIGINT') {
  if (program.exitCode === null && program.signalCode === null) {
    program.kill(signal);
    await once(program, 'exit');
  }
  return program.exitCode;
}

/** Waits until `check` gives something true; fails with what it gave last. */
export async function until(what, check, patience = 20_000) {
  const deadline = Date.now() + patience;
  let last;
  for (;;) {
    last = await check();
    if (last) return last;
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(50);
  }
}

export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function start(name, args) {
  const program = spawn(join(programs, name), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  program.said = '';
  program.stderr.setEncoding('utf8');
  program.stderr.on('data', (text) => (program.said += text));
  program.on('error', (error) => (program.said += error.message));
  if (name !== 'relay') program.stdout.resume();
  return program;
}
