import { z } from 'zod';
import { quantityValue } from './quantity.ts';
import { ofForm, withRules } from './rules.ts';

/** Names within a pod: DNS labels. */
export const podLocalName = () =>
  ofForm(
    z.string().min(1).max(63),
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    'must be lower-case letters, digits and dashes, starting and ending with a letter or digit',
  );

/** Names of Kubernetes objects: DNS subdomains. */
export const objectName = (maxLength = 253) =>
  ofForm(
    z.string().min(1).max(maxLength),
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    'must be lower-case letters, digits, dashes and dots, each part between dots starting and ending with a letter or digit',
  );

/** A Kubernetes quantity; negative amounts make no sense here. */
export const quantity = () =>
  ofForm(
    z.string().max(64),
    /^[0-9]+([.][0-9]+)?([eE][+-]?[0-9]{1,2}|m|[kMGTPE]|[KMGTPE]i)?$/,
    'must be a Kubernetes quantity such as 4, 500m or 16Gi',
  );

/** What is wrong with an amount below its limit: most often the unit was forgotten, or m, a thousandth, was meant for Mi. */
const tooLittle = (least: string) => ({
  here: (amount: string) => {
    const start = `must be at least ${least}, is ${amount}`;
    if (/^[1-9][0-9]{0,2}([.][0-9]+)?$/.test(amount)) return `${start} bytes: did you mean ${amount}Gi?`;
    if (/^[1-9][0-9.]*$/.test(amount)) return `${start} bytes: did you mean ${amount}Mi?`;
    return amount.endsWith('m') ? `${start}, thousandths of a byte: did you mean Mi?` : start;
  },
  cel: [
    `'must be at least ${least}, is ' + self + (`,
    `self.matches('^[1-9][0-9]{0,2}([.][0-9]+)?$') ? ' bytes: did you mean ' + self + 'Gi?' : `,
    `self.matches('^[1-9][0-9.]*$') ? ' bytes: did you mean ' + self + 'Mi?' : `,
    `self.endsWith('m') ? ', thousandths of a byte: did you mean Mi?' : '')`,
  ].join(''),
});

/**
 * Bytes, as a quantity.
 * @param least the smallest amount that anybody can mean
 * @param none whether 0 is taken besides
 */
export const bytes = (least: string, { none }: { readonly none: boolean }) =>
  withRules(quantity(), {
    // What is no quantity has been told already.
    cel: `!isQuantity(self) || quantity(self).compareTo(quantity('${least}')) >= 0${none ? " || quantity(self).compareTo(quantity('0')) == 0" : ''}`,
    holds: (amount) => !(quantityValue(amount) < quantityValue(least)) || (none && quantityValue(amount) === 0),
    message: `must be at least ${least}${none ? ', or 0 for none' : ''}; a number without a unit is bytes`,
    told: tooLittle(least),
  });

/** A file or folder; Linux takes no longer path. */
export const filePath = () => z.string().min(1).max(4096);
