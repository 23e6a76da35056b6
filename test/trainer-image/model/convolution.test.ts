import { test } from 'uvu';
import * as convolution from '../../../trainer-image/model/convolution.ts';
import { testConvolutions } from './convolution-cases.ts';

testConvolutions('as set up', convolution);

test.run();
