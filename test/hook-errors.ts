// Loaded before every test file by test/run.ts: uvu counts the tests of a file whose set-up fails as failed, and says nothing of why.
import { test } from 'uvu';

const before = test.before;
test.before = Object.assign((handler: Parameters<typeof before>[0]) => {
  before(async (context) => {
    try {
      await handler(context);
    } catch (error) {
      console.error('the set-up of the tests has failed:', error);
      throw error;
    }
  });
}, before);
