/** Every artifact's name, once. Paths are relative to the folder of the stage that writes it. */
export const ARTIFACTS = {
  manifest: 'manifest.json',
  /** What an unfinished stage goes on with; removed when it is complete. */
  checkpoint: 'checkpoint',
  /** In the checkpoint: files while they are written, and the working time of each process, <process>.json. Nothing to go on with. */
  unfinished: 'checkpoint/unfinished',
  workingTime: 'checkpoint/seconds',
  classify: {
    /** Backbone (torchvision's names under `backbone.`) and `classifier.weight`. */
    weights: 'weights.safetensors',
    /** One JSON object per training step: { step, epoch, learningRate, loss, terms, gradientNorm }; the last with maxGradientNorm only. */
    history: 'history.jsonl',
    /** One JSON object per epoch: { epoch, step, meanAveragePrecision }. */
    validation: 'validation.jsonl',
    checkpoint: 'checkpoint',
  },
  pseudoLabel: {
    /** <id>.png, palette index PNGs with classes 0..K-1 (255 possible with external labels). */
    labels: 'labels',
    /**
     * { threshold, candidates: [{ threshold, agreement }], quality, sure: { meanIou, share }, images, imagesWithoutScribble }; quality: mIoU
     * of the plain labels and after what was done to them, null without masks; sure: of the pixels that keep their label, only where others
     * lose it. External labels have no threshold and no candidates.
     */
    quality: 'quality.json',
    /** Activation maps of the gallery's images: <id>.png, RGB heat maps. */
    heatMaps: 'heat-maps',
    /** In the checkpoint: journals of the images that are done, and activation maps (<id>.safetensors). */
    thresholdJournal: 'checkpoint/threshold',
    labelJournal: 'checkpoint/labels',
    activations: 'checkpoint/activations',
  },
  segment: {
    weights: 'weights.safetensors',
    history: 'history.jsonl',
    /** One JSON object per validated epoch: { epoch, step, meanIou, iou }. */
    validation: 'validation.jsonl',
    checkpoint: 'checkpoint',
  },
  evaluate: {
    /** { classes, confusion, iou, meanIou, pixelAccuracy, images }; in data without masks, classes and images only, the others are null. */
    evaluation: 'evaluation.json',
    /** <id>.png palette PNGs. */
    predictions: 'predictions',
    /** In the checkpoint: journals of the images that are done. */
    journal: 'checkpoint/images',
  },
} as const;
