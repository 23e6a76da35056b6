import { z } from 'zod';

/** The records that the trainer writes and the report reads; see trainer-image/artifacts.ts for their names. JSON has no NaN: it arrives as null. */

const ratioOrNull = z.number().nullable();

export const HistoryLine = z.object({
  step: z.number(),
  epoch: z.number(),
  learningRate: z.number().nullable().optional(),
  loss: z.number().nullable().optional(),
  terms: z.record(z.string(), z.number().nullable()).optional(),
  gradientNorm: z.number().nullable().optional(),
  /** classify, at the end of an epoch. */
  meanAveragePrecision: z.number().nullable().optional(),
});
export type HistoryLine = z.output<typeof HistoryLine>;

export const ValidationLine = z.object({ epoch: z.number(), step: z.number(), meanIou: ratioOrNull });

const ScoredRecord = z
  .object({
    classes: z.array(z.string()),
    confusion: z.array(z.array(z.number())),
    iou: z.array(ratioOrNull),
    meanIou: ratioOrNull,
    pixelAccuracy: ratioOrNull,
    images: z.number(),
  })
  .refine(({ classes, confusion, iou }) => [iou, confusion, ...confusion].every((list) => list.length === classes.length), {
    message: 'classes, iou and confusion differ in size',
  });

/** Without masks there is nothing to hold predictions against. */
const UnscoredRecord = z.object({
  classes: z.array(z.string()),
  confusion: z.null(),
  iou: z.null(),
  meanIou: z.null(),
  pixelAccuracy: z.null(),
  images: z.number(),
});

export const EvaluationRecord = z.union([ScoredRecord, UnscoredRecord]);

export const QualityRecord = z.object({
  threshold: z.number().nullable().optional(),
  candidates: z.array(z.object({ threshold: z.number(), agreement: z.number().nullable() })).optional(),
  quality: z.record(z.string(), z.number().nullable()).nullable().optional(),
  sure: z.object({ meanIou: ratioOrNull, share: z.number() }).optional(),
  images: z.number().optional(),
  imagesWithoutScribble: z.number().optional(),
});
export type EvaluationRecord = z.output<typeof EvaluationRecord>;
export type QualityRecord = z.output<typeof QualityRecord>;
