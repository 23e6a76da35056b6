import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const INSTALL = ['apt-get', 'install', '-y', '--no-install-recommends', 'chromium'];
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function findInPath(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

/** Debian's Chromium; only root may install it. Package lists that are missing or old are fetched first. */
function install(): void {
  const options = { stdio: 'pipe', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } } as const;
  try {
    execFileSync(INSTALL[0], INSTALL.slice(1), options);
  } catch {
    execFileSync('apt-get', ['update'], options);
    execFileSync(INSTALL[0], INSTALL.slice(1), options);
  }
}

/**
 * Path of a Chromium: CDSP_CHROMIUM, else one in the PATH, else Debian's is installed if this is root.
 * @throws Error that names the command to install it.
 */
function findChromium(): string {
  const named = process.env.CDSP_CHROMIUM;
  if (named !== undefined && named !== '') {
    if (!isExecutable(named)) throw new Error(`CDSP_CHROMIUM names ${named}, which cannot be run`);
    return named;
  }
  const found = findInPath();
  if (found !== undefined) return found;
  const advice = `The browser tests need Chromium: run \`${INSTALL.join(' ')}\` as root, or set CDSP_CHROMIUM to its path`;
  if (process.getuid?.() !== 0) throw new Error(advice);
  try {
    install();
  } catch (cause) {
    throw new Error(`${advice} (installing it has failed)`, { cause });
  }
  const installed = findInPath();
  if (installed === undefined) throw new Error(advice);
  return installed;
}

/** Starts a headless Chromium that calls nobody by itself. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), headless: true, args: FLAGS });
}
