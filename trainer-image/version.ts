/** Version of the trainer: part of every stage key, so a change that alters results must raise it. */
export const TRAINER_VERSION = '0.1.0';
