// A loudspeaker for browsers that play nothing on a machine without one: a sound server whose only output is no output.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { end, until } from './room.mjs';

/** A running one. */
export class Loudspeaker {
  #folder = mkdtempSync(join(tmpdir(), 'loudspeaker-'));
  #server;

  /** Starts a sound server of its own. */
  static async open() {
    const speaker = new Loudspeaker();
    const folder = speaker.#folder;
    speaker.#server = spawn(
      'pulseaudio',
      ['--daemonize=no', '--exit-idle-time=-1', '--use-pid-file=no', '-n']
        .concat('-L', `module-native-protocol-unix socket=${speaker.#socket} auth-anonymous=1`)
        .concat('-L', 'module-null-sink'),
      { stdio: 'ignore', env: { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder } },
    );
    let failed = null;
    speaker.#server.on('error', (error) => (failed = error));
    await until('the sound server runs', () => {
      if (failed) throw failed;
      return existsSync(speaker.#socket);
    });
    return speaker;
  }

  /** The environment in which a program finds it. */
  get environment() {
    return { ...process.env, PULSE_SERVER: `unix:${this.#socket}` };
  }

  /** Ends it. */
  async close() {
    await end(this.#server, 'SIGTERM');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #socket() {
    return join(this.#folder, 'native');
  }
}
