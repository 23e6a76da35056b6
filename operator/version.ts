import manifest from '../package.json' with { type: 'json' };

/** Of the operator; the bundle has it inside. */
export const OPERATOR_VERSION: string = manifest.version;
