// Loaded before every test file by test/run.ts: properties draw the same cases in each run of the same commit, so that a failure
// is the commit's. A file run by itself (`node test/….test.ts`) draws new ones, and prints the seed of a failure.
import fc from 'fast-check';

fc.configureGlobal({ seed: 20240220 });
