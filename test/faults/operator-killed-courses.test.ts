// The operator is killed at each request that it makes for experiments with more of a life than a straight run: stopped, edited,
// shared, changed in place, robbed of their artifacts. Each operator is a controller in this process, in a namespace of its own, so that many
// are killed side by side; that of a real process, with its lease, is the straight run's test (operator-killed.test.ts).
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { claimsPath, experimentsPath } from '../../operator/controller/resource-paths.ts';
import { clusterTests } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { inParallel } from '../in-parallel.ts';
import { changeInPlace, loseArtifacts, share, stopAndEdit } from './courses.ts';
import type { Course } from './courses.ts';
import { FaultCluster, whyNoFaultCluster } from './fault-cluster.ts';
import type { Experiment } from './fault-cluster.ts';
import { MortalCluster } from './mortal-cluster.ts';
import type { Death } from './mortal-cluster.ts';

const reason = whyNoFaultCluster();
const clusterTest = clusterTests(reason);

/** More at once would only wait for the API server. */
const SIDE_BY_SIDE = 12;

let cluster: FaultCluster;
setUp(reason, async (stopLater) => {
  cluster = stopLater(await FaultCluster.start());
  const path = '/apis/storage.k8s.io/v1/storageclasses/standard';
  await cluster.plane.client.expect('PATCH', path, { allowVolumeExpansion: true }, 'application/merge-patch+json');
});

interface Run {
  readonly asked: readonly string[];
  /** Whether the operator was killed: there may have been fewer requests than in another run. */
  readonly hasDied: boolean;
}

/** A course with an operator of its own, which dies once and is followed by another one. */
async function run(course: Course, namespace: string, claims: readonly string[], death?: Death): Promise<Run> {
  await cluster.makeNamespace(namespace);
  let mortal: MortalCluster | undefined;
  const config = { namespaces: [namespace] };
  const first = await cluster.startLocal({ config, connect: (access) => (mortal = new MortalCluster(access, death)) });
  assert.ok(mortal);
  mortal.count();
  let hasDied = false;
  const followed = mortal.died.then(async () => {
    hasDied = true;
    await first.stop();
    return cluster.startLocal({ config });
  });
  await course(cluster, namespace);
  for (const { metadata } of await cluster.list<Experiment>(experimentsPath(namespace)))
    await cluster.deleteExperiment(namespace, metadata?.name ?? '');
  await cluster.plane.waitUntil(`the claims in ${namespace} to be ${claims.join()}`, async () => {
    return (await cluster.list(claimsPath(namespace))).length === claims.length;
  });
  await cluster.checkEmpty(namespace, claims);
  await (hasDied ? await followed : first).stop();
  return { asked: mortal.asked, hasDied };
}

/** What a straight run asks for. */
const STRAIGHT = new Set(['POST persistentvolumeclaims', 'POST jobs', 'PATCH status', 'POST events']);

/**
 * After each request of a course, and before the first of each kind: before any other request the server is as it was after the one that came
 * before it. What a course has in common with the straight run is left to that.
 */
function deathsOf(asked: readonly string[]): Death[] {
  const straight = asked.findIndex((kind) => !STRAIGHT.has(kind));
  return asked.flatMap((kind, index) => {
    if (index < straight) return [];
    const number = asked.slice(0, index + 1).filter((each) => each === kind).length;
    const moments = STRAIGHT.has(kind) || number > 1 ? (['after'] as const) : (['before', 'after'] as const);
    return moments.map((moment) => ({ moment, kind, number }));
  });
}

const say = ({ moment, kind, number }: Death) => `${moment} ${kind} ${number}`;

const courses: [name: string, why: string, course: Course, claims: readonly string[], kinds: readonly string[]][] = [
  ['edited', 'an experiment that is suspended, resumed and edited', stopAndEdit, ['cdsp-cats'], ['PATCH jobs', 'DELETE jobs']],
  ['shared', 'two experiments that share a stage', share, ['shared'], ['PATCH jobs']],
  [
    'changed',
    'an experiment whose place, deadline and claim are changed, and whose Jobs go',
    changeInPlace,
    [],
    ['PATCH persistentvolumeclaims', 'PATCH jobs', 'DELETE jobs'],
  ],
  [
    'lost',
    'an experiment whose artifacts are lost, and one that finds them',
    loseArtifacts,
    ['shared'],
    ['DELETE jobs', 'GET cdspexperiments'],
  ],
];

for (const [name, why, course, claims, kinds] of courses) {
  clusterTest(`killed at each request of ${why}: the end is the same, and nothing is left behind`, async () => {
    const { asked } = await run(course, `${name}-undisturbed`, claims);
    const deaths = deathsOf(asked);
    const died: Death[] = [];
    const failures: string[] = [];
    await inParallel([...deaths.entries()], SIDE_BY_SIDE, async ([index, death]) => {
      const where = `${name}-${index}`;
      try {
        if ((await run(course, where, claims, death)).hasDied) died.push(death);
      } catch (error) {
        failures.push(`${where}, killed ${say(death)} of ${asked.join(', ')}: ${String(error)}`);
      }
    });
    assert.equal(failures, []);
    console.log(`${name}: killed ${died.map(say).join(', ')}`);
    // How often numbers are told depends on time, and so does the number of requests.
    assert.ok(died.length >= deaths.length / 2, `${died.length} of ${deaths.length} points`);
    const points = new Set(died.map(({ moment, kind }) => `${moment} ${kind}`));
    const wanted = kinds.flatMap((kind) => [`before ${kind}`, `after ${kind}`]);
    assert.equal(
      wanted.filter((point) => !points.has(point)),
      [],
      'kinds of requests at which it was not killed',
    );
  });
}

test.run();
