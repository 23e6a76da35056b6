import { accessSync, constants } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { fileSystemError, makeFolder, STORAGE_FIELD } from '../../trainer-image/file-system-error.ts';
import { BadInputError } from '../../trainer-image/errors.ts';
import { readJson, writeJson } from '../../trainer-image/json-file.ts';
import { EXIT } from '../api/stage-contract.ts';
import { identifyProcess, isAlive } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

/**
 * One run at a time on a storage folder. The lock itself is the operating system's, held on `lock` through SQLite: it ends with its
 * process, however that ends, so that there is nothing stale to take over and no race between two starters
 * (docs/decisions/lock-through-sqlite.md). `lock.json` beside it only says who holds it, for messages, and which
 * stages the holder started: these may outlive it for as long as they need to keep a checkpoint, and are waited for.
 */
const LOCK_FILE = 'lock';
const HOLDER_FILE = 'lock.json';

const Process = z.object({ pid: z.int().positive(), started: z.string().nullable() });
const Holder = z.object({
  holder: Process,
  host: z.string(),
  since: z.string(),
  experiment: z.string(),
  stages: z.array(Process),
});
type Holder = z.output<typeof Holder>;

/** Another run holds the folder. */
export class StorageLockedError extends Error {
  readonly exitCode = EXIT.interrupted;

  constructor(message: string) {
    super(message);
    this.name = 'StorageLockedError';
  }
}

export interface StorageLock {
  /** Notes a stage's process; call it as soon as the process exists. */
  addStage(pid: number): void;
  removeStage(pid: number): void;
  release(): void;
}

export interface LockOptions {
  readonly experiment: string;
  readonly now: () => number;
  /** How long stages that a dead run left behind may take to end, in milliseconds. */
  readonly patienceMs?: number;
  /** Told once when stages of a dead run are waited for. */
  readonly onWait?: (message: string) => void;
  readonly signal?: AbortSignal;
}

const readHolder = (root: string): Holder | undefined => Holder.safeParse(readJson(join(root, HOLDER_FILE))).data;

function describe(holder: Holder | undefined): string {
  if (holder === undefined) return 'another run';
  return `the run of experiment ${holder.experiment} (process ${holder.holder.pid} on ${holder.host}, since ${holder.since})`;
}

/** Primary result codes of SQLite. */
const SQLITE = { busy: 5, locked: 6, readOnly: 8, ioError: 10, full: 13, cannotOpen: 14, protocol: 15, noLargeFiles: 22 } as const;
const UNWRITABLE: ReadonlySet<number> = new Set([SQLITE.readOnly, SQLITE.cannotOpen]);
const NO_LOCKS: ReadonlySet<number> = new Set([SQLITE.ioError, SQLITE.protocol, SQLITE.noLargeFiles]);

const systemError = (code: string, cause: unknown) => Object.assign(new Error(code, { cause }), { code });

/** Why a folder cannot be written, as the system has it. */
function writingTrouble(folder: string, cause: unknown): unknown {
  try {
    accessSync(folder, constants.W_OK);
    return systemError('EACCES', cause);
  } catch (error) {
    return error;
  }
}

/** SQLite's error on the lock's file as one that says what to do. */
export function lockError(cause: unknown, root: string): unknown {
  const file = join(root, LOCK_FILE);
  // Extended result codes carry the primary one in their low byte.
  const primary = ((cause as { errcode?: number }).errcode ?? 0) & 0xff;
  if (primary === SQLITE.busy || primary === SQLITE.locked) {
    const holder = describe(readHolder(root));
    return new StorageLockedError(
      `${root} is in use by ${holder}; wait until it ends, stop it, or set spec.storage.path to another folder`,
    );
  }
  if (NO_LOCKS.has(primary)) {
    const message = `the file system cannot lock files (${(cause as Error).message}); choose a folder on another one, such as a local disk`;
    return new BadInputError(message, { file, field: STORAGE_FIELD, cause });
  }
  if (primary === SQLITE.full) return fileSystemError(systemError('ENOSPC', cause), file);
  return UNWRITABLE.has(primary) ? fileSystemError(writingTrouble(root, cause), file) : cause;
}

function openLock(root: string): DatabaseSync {
  makeFolder(root);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(root, LOCK_FILE), { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (cause) {
    database?.close();
    throw lockError(cause, root);
  }
}

/** Waits for the stages of a run that is gone; they end by themselves when their input closes. */
async function waitForStages(
  left: readonly ProcessIdentity[],
  root: string,
  { patienceMs = 120_000, onWait, signal }: LockOptions,
): Promise<void> {
  const alive = () => left.filter(isAlive).map(({ pid }) => pid);
  if (alive().length === 0) return;
  onWait?.(`waiting for a stage of an earlier run to keep its checkpoint and end (process ${alive().join(', ')})`);
  for (let waited = 0; alive().length > 0; waited += POLL_MS) {
    if (waited >= patienceMs) {
      throw new StorageLockedError(
        `a stage of an earlier run still writes to ${root} (process ${alive().join(', ')}); stop it with: kill ${alive().join(' ')}`,
      );
    }
    await delay(POLL_MS, undefined, { signal });
  }
}
const POLL_MS = 100;

/**
 * Takes the storage folder for this process; makes it where it is not there.
 * @throws StorageLockedError naming who holds it, on which host, since when, and what to do
 * @throws BadInputError where the folder cannot be written
 */
export async function lockStorage(root: string, options: LockOptions): Promise<StorageLock> {
  const database = openLock(root);
  try {
    const before = readHolder(root);
    const isHere = before?.host === hostname();
    if (before !== undefined && isHere) await waitForStages(before.stages, root, options);
    const holder: Holder = {
      holder: identifyProcess(process.pid),
      host: hostname(),
      since: new Date(options.now()).toISOString(),
      experiment: options.experiment,
      stages: [],
    };
    writeJson(join(root, HOLDER_FILE), holder);
    const update = (stages: readonly ProcessIdentity[]) => {
      holder.stages = [...stages];
      writeJson(join(root, HOLDER_FILE), holder);
    };
    return {
      addStage: (pid) => update([...holder.stages, identifyProcess(pid)]),
      removeStage: (pid) => {
        try {
          update(holder.stages.filter((stage) => stage.pid !== pid));
        } catch {
          // A full disk, say. A process that is gone does no harm in the list.
        }
      },
      release: () => {
        if (database.isOpen) database.close();
      },
    };
  } catch (error) {
    database.close();
    throw error;
  }
}
