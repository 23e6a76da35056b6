/** Why an evaluation has no numbers: for the log, the table and the report. @param images of the validation split */
export function unscoredSentence(images: number): string {
  return images === 0
    ? 'Nothing was scored: the data set has no validation split.'
    : `Nothing was scored: the masks of the validation images (${images}) are not there.`;
}
