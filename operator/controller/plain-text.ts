/**
 * Signs that a status cannot hold, although JSON can: it is applied as YAML, which refuses some of these, and takes others for the end of a
 * line. A terminal would obey some.
 */
const UNPRINTABLE = /(?![\t\n])[\p{Cc}\u2028\u2029\ufeff\ufffe\uffff]/gu;

/** A text whoever has written it, as the API server takes it and gives it back: signs that it would not take become �. */
export const plainText = (text: string): string => text.toWellFormed().replace(UNPRINTABLE, '\ufffd');

/** As much of a text as a condition, and a stage, take. */
const LONGEST = 4000;

/** A sentence, cut where it is longer than a status takes. */
export const plainSentence = (text: string): string => plainText(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);

/** As long as the reason of a stage; that of a condition may be longer. */
const LONGEST_REASON = 256;

/** A reason in one word, never empty. */
export const plainReason = (reason: string): string => plainText(reason.slice(0, LONGEST_REASON)) || 'Unknown';
