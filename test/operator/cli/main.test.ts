import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withFolder } from '../local/temporary-folder.ts';
import { runCli } from './cli-process.ts';
import { TINY, writeFiles } from './fixtures.ts';

interface Case {
  readonly why: string;
  readonly args: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly code: number;
  readonly stdout?: RegExp;
  readonly stderr?: RegExp;
}

/** Four names with a slip in each; the list and the folders that are meant are there. */
const MISSPELT = {
  'data.yaml': TINY.replace(
    /generator: .*/,
    'folder:\n      path: d\n      images: Images\n      masks: Truth\n      trainSplit: ImageSets/training.txt\n  model: { weights: resnet5.pth }',
  ),
  'resnet50.pth': '',
  'd/labels.txt': '0 background\n1 cat\n',
  'd/JPEGImages/a.png': '',
  'd/Scribbles/a.png': '',
  'd/ImageSets/train.txt': 'a\n',
};

/** An object that is no experiment. */
const OTHER = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: beside\n';

const cases: readonly Case[] = [
  {
    why: 'help names every command and exit code',
    args: ['--help'],
    code: 0,
    stdout: /run .*plan .*validate .*report .*init .*import .*synth .*predict .*Exit codes:.*75 /s,
  },
  { why: 'help of a command names its options', args: ['help', 'run'], code: 0, stdout: /--until <stage>.*--no-report.*--json/s },
  { why: 'the version is that of the package', args: ['--version'], code: 0, stdout: /^\d+\.\d+\.\d+\n$/ },
  { why: 'no command is a usage error with help', args: [], code: 64, stderr: /Usage: cdsp/ },
  {
    why: 'an unknown command is answered with the nearest',
    args: ['rnu'],
    code: 64,
    stderr: /unknown command 'rnu'\n\(Did you mean run\?\)/,
  },
  {
    why: 'an unknown option is answered with the nearest',
    args: ['run', 'x.yaml', '--jsn'],
    code: 64,
    stderr: /unknown option '--jsn'\n\(Did you mean --json\?\)/,
  },
  { why: 'a missing argument is named', args: ['run'], code: 64, stderr: /missing required argument 'file'/ },
  {
    why: 'a stage that does not exist is answered with those that do',
    args: ['run', 'x.yaml', '--until', 'train'],
    code: 64,
    stderr: /classify, pseudo-label, segment, evaluate/,
  },
  {
    why: 'a scale that is no number is refused',
    args: ['predict', 'm', 'i', '-o', 'o', '--scales', '1,x'],
    code: 64,
    stderr: /numbers above 0/,
  },
  {
    why: 'a coverage above 1 is refused',
    args: ['synth', 'm', '-o', 'o', '--coverage', '5'],
    code: 64,
    stderr: /'--coverage <share>' argument '5' is invalid\. It must be a number above 0 and up to 1/,
  },
  {
    why: 'a map of another form is refused',
    args: ['import', '.', '-o', 'o', '--map', '0=1,x'],
    code: 64,
    stderr: /^error: --map: "x" is not of the form "value=class"/,
  },
  {
    why: 'a choice among runs is refused for a YAML file',
    args: ['report', 'good.yaml', '--experiment', 'foo'],
    files: { 'good.yaml': TINY },
    code: 64,
    stderr: /^error: --experiment: chooses among the runs in a folder/,
  },
  {
    why: 'a storage is refused for a folder of artifacts',
    args: ['report', '.', '--storage', 'x'],
    code: 64,
    stderr: /^error: --storage: goes with an experiment YAML/,
  },
  {
    why: 'a folder in place of an experiment is told in words',
    args: ['validate', '.'],
    code: 65,
    stderr: /^error: \.: cannot be read: this is a folder; name a file\n$/,
  },
  {
    why: 'import of strokes looks for XML and speaks of nothing else',
    args: ['import', '.', '-o', 'out', '--format', 'strokes'],
    code: 65,
    stderr: /^error: \.: holds no XML file with strokes\n$/,
  },
  { why: 'an experiment that is not there is named', args: ['run', 'absent.yaml'], code: 65, stderr: /^error: absent\.yaml: / },
  {
    why: 'a model that is not there is named',
    args: ['predict', 'absent', 'images', '-o', 'out'],
    code: 65,
    stderr: /^error: absent: there is no such model/,
  },
  {
    why: 'a data folder that is not there is named',
    args: ['init', 'absent'],
    code: 65,
    stderr: /^error: .*absent: there is no such file or folder; check the path\n$/,
  },
  { why: 'a folder without an experiment has no report', args: ['report', '.'], code: 65, stderr: /no experiment has run in this folder/ },
  {
    why: 'a folder without masks has nothing to draw scribbles from',
    args: ['synth', '.', '-o', 'out'],
    code: 65,
    stderr: /no PNG in this folder/,
  },
  {
    why: 'a folder without annotations has nothing to import',
    args: ['import', '.', '-o', 'out'],
    code: 65,
    stderr: /^error: \.: holds no /,
  },
  {
    why: 'damaged weights are named by the process that loads TensorFlow',
    args: ['predict', 'weights.safetensors', '.', '-o', 'out'],
    files: { 'weights.safetensors': 'nothing of the kind' },
    code: 65,
    stderr: /^error: .*weights\.safetensors: this \.safetensors file is damaged/,
  },
  {
    why: 'validate accepts a good file',
    args: ['validate', 'good.yaml'],
    files: { 'good.yaml': TINY },
    code: 0,
    stdout: /^good\.yaml: valid, 2 generated scenes, resnet50 \+ deeplabv2\n$/,
  },
  {
    why: 'validate goes on after a bad file and names every field',
    args: ['validate', 'bad.yaml', 'good.yaml'],
    files: { 'good.yaml': TINY, 'bad.yaml': `${TINY}  sed: 3\n  segment:\n    epochs: 0\n` },
    code: 65,
    stdout: /^good\.yaml: valid/,
    stderr: /^error: bad\.yaml: spec\.sed .*seed.*\n(error: .*\n)*error: bad\.yaml: spec\.segment\.epochs /,
  },
  {
    why: 'validate --json has a line for each file',
    args: ['validate', '--json', 'bad.yaml', 'good.yaml'],
    files: { 'good.yaml': TINY, 'bad.yaml': `${TINY}  sed: 3\n` },
    code: 65,
    stdout:
      /^\{"file":"bad\.yaml","valid":false,"findings":\[\{"field":"spec\.sed","message":"unknown key; did you mean seed\?","line":9\}\]\}\n\{"file":"good\.yaml","valid":true,"summary":"2 generated scenes, .*"\}\n$/,
  },
  {
    why: 'validate looks at the data',
    args: ['validate', 'data.yaml'],
    files: { 'data.yaml': TINY.replace(/generator: .*/, 'folder: { path: ./nothing }') },
    code: 65,
    stderr: /^error: data\.yaml: spec\.dataset\.folder\.path \(line 7\): \/.*\/nothing: does not exist; .* holds data\.yaml\n$/,
  },
  {
    why: 'validate looks for the weights',
    args: ['validate', 'weights.yaml'],
    files: { 'weights.yaml': `${TINY}  model: { weights: ./absent.pth }\n` },
    code: 65,
    stderr: /^error: weights\.yaml: spec\.model\.weights \(line 9\): \/.*\/absent\.pth: the weights file does not exist; .*\n$/,
  },
  {
    why: 'validate looks for the pseudo-labels of another method',
    args: ['validate', 'labels.yaml'],
    files: { 'labels.yaml': `${TINY}  pseudoLabels: { source: External, external: { path: absent } }\n` },
    code: 65,
    stderr: /^error: labels\.yaml: spec\.pseudoLabels\.external\.path \(line 9\): \/.*\/absent: does not exist; .*\n$/,
  },
  {
    why: 'validate does not take a folder for weights',
    args: ['validate', 'weights.yaml'],
    files: { 'weights.yaml': `${TINY}  model: { weights: ./models.pth }\n`, 'models.pth/a': '' },
    code: 65,
    stderr: /^error: weights\.yaml: spec\.model\.weights \(line 9\): \/.*\/models\.pth: the weights file is a folder, not a file\n$/,
  },
  ...['validate', 'plan', 'run'].map((command) => ({
    why: `${command} names every file that is not there, with field, line and what is there instead`,
    args: [command, 'data.yaml'],
    files: MISSPELT,
    code: 65,
    stderr: new RegExp(
      [
        '^error: data\\.yaml: spec\\.dataset\\.folder\\.images \\(line 9\\): /.*/d/Images: does not exist; /.*/d holds ImageSets, JPEGImages, Scribbles, labels\\.txt',
        'error: data\\.yaml: spec\\.dataset\\.folder\\.masks \\(line 10\\): /.*/d/Truth: does not exist; /.*/d holds ImageSets, JPEGImages, Scribbles, labels\\.txt',
        'error: data\\.yaml: spec\\.dataset\\.folder\\.trainSplit \\(line 11\\): /.*/training\\.txt: does not exist; /.*/d/ImageSets holds train\\.txt',
        'error: data\\.yaml: spec\\.model\\.weights \\(line 12\\): /.*/resnet5\\.pth: the weights file does not exist; /.* holds d, data\\.yaml, resnet50\\.pth(, runs)?\\n$',
      ].join('\\n'),
    ),
  })),
  {
    why: 'validate does not look on this machine for what lies on a claim or in an image, and says so',
    args: ['validate', 'gpu.yaml'],
    files: {
      'gpu.yaml': TINY.replace(/generator: .*/, 'folder: { path: voc, claimName: data }').concat(
        '  model: { weights: r50.pth, weightsFrom: { claimName: models } }\n',
        '  pseudoLabels: { source: External, external: { path: labels, image: example.org/labels:1 } }\n',
      ),
    },
    code: 0,
    stdout: /^gpu\.yaml: valid, resnet50 \+ deeplabv2\n$/,
    stderr:
      /^note: gpu\.yaml: not looked at, since not on this machine: spec\.dataset\.folder \(claim data\), spec\.pseudoLabels\.external \(image example\.org\/labels:1\), spec\.model\.weights \(claim models\)\n$/,
  },
  {
    why: 'what lies on this machine is looked at all the same',
    args: ['validate', 'mixed.yaml'],
    files: {
      'mixed.yaml': TINY.replace(/generator: .*/, 'folder: { path: voc, claimName: data }').concat('  model: { weights: ./absent.pth }\n'),
    },
    code: 65,
    stderr: /^error: mixed\.yaml: spec\.model\.weights \(line 9\): \/.*\/absent\.pth: the weights file does not exist; .*\n$/,
  },
  {
    why: 'validate checks every experiment of a file, with the lines of the file, and passes over what is none',
    args: ['validate', 'several.yaml'],
    files: {
      'several.yaml': `${OTHER}---\n${TINY}---\n${TINY.replace('tiny', 'second')}  sed: 3\n---\n${TINY.replace('tiny', 'third')}---\n`,
    },
    code: 65,
    stdout: /^several\.yaml: tiny: valid, 2 generated .*\nseveral\.yaml: third: valid, 2 generated .*\n$/,
    stderr:
      /^note: several\.yaml: ConfigMap beside is passed over: only a CDSPExperiment is looked at\nerror: several\.yaml: spec\.sed \(line 23\): unknown key.*\n$/,
  },
  {
    why: 'validate --json tells of other objects and of several experiments',
    args: ['validate', '--json', 'several.yaml'],
    files: { 'several.yaml': `${TINY}---\n${OTHER}---\n${TINY.replace('tiny', 'second')}` },
    code: 0,
    stdout: /^(\{"file":"several\.yaml","name":"(tiny|second)","valid":true,"summary":"2 .*","passedOver":\["ConfigMap beside"\]\}\n){2}$/,
  },
  {
    why: 'a slip in the kind among several documents is none of another object',
    args: ['validate', 'several.yaml'],
    files: { 'several.yaml': `${OTHER}---\n${TINY.replace('kind: CDSPExperiment', 'kind: CDSPExperimnt')}` },
    code: 65,
    stderr: /\nerror: several\.yaml: kind \(line 7\): must be CDSPExperiment/,
  },
  {
    why: 'a file of other objects holds nothing to validate',
    args: ['validate', 'others.yaml'],
    files: { 'others.yaml': `${OTHER}---\n${OTHER}` },
    code: 65,
    stderr: /^error: others\.yaml: holds no CDSPExperiment, only ConfigMap beside, ConfigMap beside\n$/,
  },
  ...['plan', 'run', 'report'].map((command) => ({
    why: `${command} takes a file with one experiment and nothing else`,
    args: [command, 'several.yaml'],
    files: { 'several.yaml': `${OTHER}---\n${TINY}` },
    code: 65,
    stderr:
      /^error: several\.yaml: holds several YAML documents \(---\), where one CDSPExperiment is wanted; put it into a file of its own\n/,
  })),
  {
    why: 'validate leaves the data alone if told so',
    args: ['validate', '--no-data', 'data.yaml'],
    files: { 'data.yaml': TINY.replace(/generator: .*/, 'folder: { path: ./nothing }') },
    code: 0,
  },
];

for (const { why, args, files = {}, code, stdout = /^/, stderr } of cases) {
  test(why, () =>
    withFolder(async (folder) => {
      writeFiles(folder, files);
      const result = await runCli(args, { cwd: folder });
      assert.is(result.code, code, result.stdout + result.stderr);
      assert.match(result.stdout, stdout);
      if (stderr === undefined) assert.is(result.stderr, '');
      else assert.match(result.stderr, stderr);
      assert.not.match(result.stderr, /\n\s+at /);
    }),
  );
}

test('CDSP_DEBUG shows where an error comes from', async () => {
  const { code, stderr } = await runCli(['run', '/nowhere/absent.yaml'], { environment: { CDSP_DEBUG: '1' } });
  assert.is(code, 65);
  assert.match(stderr, /\n\s+at /);
});

test.run();
