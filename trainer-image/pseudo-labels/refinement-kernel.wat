;; The two hot loops of pixel-adaptive refinement, four pixels to an instruction. refine.ts lays out the memory and says
;; what the numbers mean; generate-kernel.ts turns this file into refinement-kernel.ts.
;;
;; Planes are float32, padded on every side by the largest dilation; an address of a plane is that of its pixel (0, 0).
;; A row is cut into blocks of 16 pixels. The affinities of one block lie together, [tap][16 pixels], so that both loops
;; run through them in order. All sizes and offsets are bytes, save $blocks (a row), $height, $taps and $planes.
(module
  (memory (export "memory") 1)

  ;; affinity[tap] = share · softmax over taps of (weight · Σ_c d_c² / variance_c) + prior[tap], d = neighbour − centre.
  ;; Colours are integers, so the sums over the taps are exact, and n·Σd² − (Σd)² = n (n − 1) · variance is, too.
  (func (export "affinities")
    (param $image i32) (param $plane i32) (param $stride i32) (param $blocks i32) (param $height i32)
    (param $offsets i32) (param $prior i32) (param $taps i32) (param $weight f32) (param $share f32) (param $kernel i32)
    (local $row i32) (local $pixel i32) (local $rowEnd i32) (local $lane i32)
    (local $tap i32) (local $tapsEnd i32) (local $address i32) (local $out i32) (local $n v128)
    (local $r v128) (local $g v128) (local $b v128) (local $d v128)
    (local $rSum v128) (local $gSum v128) (local $bSum v128)
    (local $rSquares v128) (local $gSquares v128) (local $bSquares v128)
    (local $max v128) (local $sum v128) (local $power v128)
    (local.set $tapsEnd (i32.add (local.get $offsets) (i32.shl (local.get $taps) (i32.const 2))))
    (local.set $n (i32x4.splat (local.get $taps)))
    (local.set $row (local.get $image))
    (loop $rows
      (local.set $pixel (local.get $row))
      (local.set $rowEnd (i32.add (local.get $row) (i32.shl (local.get $blocks) (i32.const 6))))
      (loop $groups
        (local.set $r (v128.load (local.get $pixel)))
        (local.set $g (v128.load (i32.add (local.get $pixel) (local.get $plane))))
        (local.set $b (v128.load (i32.add (local.get $pixel) (i32.shl (local.get $plane) (i32.const 1)))))

        ;; Sums of the differences and of their squares.
        (local.set $rSum (v128.const f32x4 0 0 0 0)) (local.set $rSquares (v128.const f32x4 0 0 0 0))
        (local.set $gSum (v128.const f32x4 0 0 0 0)) (local.set $gSquares (v128.const f32x4 0 0 0 0))
        (local.set $bSum (v128.const f32x4 0 0 0 0)) (local.set $bSquares (v128.const f32x4 0 0 0 0))
        (local.set $tap (local.get $offsets))
        (loop $sums
          (local.set $address (i32.add (local.get $pixel) (i32.load (local.get $tap))))
          (local.set $d (f32x4.sub (v128.load (local.get $address)) (local.get $r)))
          (local.set $rSum (f32x4.add (local.get $rSum) (local.get $d)))
          (local.set $rSquares (f32x4.add (local.get $rSquares) (f32x4.mul (local.get $d) (local.get $d))))
          (local.set $address (i32.add (local.get $address) (local.get $plane)))
          (local.set $d (f32x4.sub (v128.load (local.get $address)) (local.get $g)))
          (local.set $gSum (f32x4.add (local.get $gSum) (local.get $d)))
          (local.set $gSquares (f32x4.add (local.get $gSquares) (f32x4.mul (local.get $d) (local.get $d))))
          (local.set $address (i32.add (local.get $address) (local.get $plane)))
          (local.set $d (f32x4.sub (v128.load (local.get $address)) (local.get $b)))
          (local.set $bSum (f32x4.add (local.get $bSum) (local.get $d)))
          (local.set $bSquares (f32x4.add (local.get $bSquares) (f32x4.mul (local.get $d) (local.get $d))))
          (br_if $sums (i32.lt_u (local.tee $tap (i32.add (local.get $tap) (i32.const 4))) (local.get $tapsEnd))))

        ;; A channel without variation differs from the centre by the same for every tap: softmax cancels it, weight 0.
        (local.set $rSquares (call $channelWeight (local.get $rSum) (local.get $rSquares) (local.get $n) (local.get $weight)))
        (local.set $gSquares (call $channelWeight (local.get $gSum) (local.get $gSquares) (local.get $n) (local.get $weight)))
        (local.set $bSquares (call $channelWeight (local.get $bSum) (local.get $bSquares) (local.get $n) (local.get $weight)))

        ;; Exponents and their maximum.
        (local.set $max (f32x4.splat (f32.const -inf)))
        (local.set $tap (local.get $offsets))
        (local.set $out (i32.add (local.get $kernel) (local.get $lane)))
        (loop $exponents
          (local.set $address (i32.add (local.get $pixel) (i32.load (local.get $tap))))
          (local.set $d (f32x4.sub (v128.load (local.get $address)) (local.get $r)))
          (local.set $sum (f32x4.mul (f32x4.mul (local.get $d) (local.get $d)) (local.get $rSquares)))
          (local.set $address (i32.add (local.get $address) (local.get $plane)))
          (local.set $d (f32x4.sub (v128.load (local.get $address)) (local.get $g)))
          (local.set $sum (f32x4.add (local.get $sum) (f32x4.mul (f32x4.mul (local.get $d) (local.get $d)) (local.get $gSquares))))
          (local.set $address (i32.add (local.get $address) (local.get $plane)))
          (local.set $d (f32x4.sub (v128.load (local.get $address)) (local.get $b)))
          (local.set $sum (f32x4.add (local.get $sum) (f32x4.mul (f32x4.mul (local.get $d) (local.get $d)) (local.get $bSquares))))
          (local.set $max (f32x4.max (local.get $max) (local.get $sum)))
          (v128.store (local.get $out) (local.get $sum))
          (local.set $out (i32.add (local.get $out) (i32.const 64)))
          (br_if $exponents (i32.lt_u (local.tee $tap (i32.add (local.get $tap) (i32.const 4))) (local.get $tapsEnd))))

        ;; e^x = 2^k · e^r, k = round(x / ln 2), |r| ≤ ln 2 / 2, e^r by its series to r⁶ (relative error below 2e-7).
        (local.set $sum (v128.const f32x4 0 0 0 0))
        (local.set $tap (local.get $offsets))
        (local.set $out (i32.add (local.get $kernel) (local.get $lane)))
        (loop $exponentials
          (local.set $d (f32x4.max (f32x4.sub (v128.load (local.get $out)) (local.get $max)) (f32x4.splat (f32.const -87))))
          (local.set $power (f32x4.nearest (f32x4.mul (local.get $d) (f32x4.splat (f32.const 1.4426950408889634)))))
          (local.set $d (f32x4.sub (local.get $d) (f32x4.mul (local.get $power) (f32x4.splat (f32.const 0.693359375)))))
          (local.set $d (f32x4.add (local.get $d) (f32x4.mul (local.get $power) (f32x4.splat (f32.const 2.12194440e-4)))))
          (local.set $d
            (f32x4.add (f32x4.splat (f32.const 1)) (f32x4.mul (local.get $d)
            (f32x4.add (f32x4.splat (f32.const 1)) (f32x4.mul (local.get $d)
            (f32x4.add (f32x4.splat (f32.const 0.5)) (f32x4.mul (local.get $d)
            (f32x4.add (f32x4.splat (f32.const 0.16666666666666666)) (f32x4.mul (local.get $d)
            (f32x4.add (f32x4.splat (f32.const 0.041666666666666664)) (f32x4.mul (local.get $d)
            (f32x4.add (f32x4.splat (f32.const 0.008333333333333333)) (f32x4.mul (local.get $d)
            (f32x4.splat (f32.const 0.001388888888888889)))))))))))))))
          (local.set $d
            (f32x4.mul (local.get $d)
              (i32x4.shl (i32x4.add (i32x4.trunc_sat_f32x4_s (local.get $power)) (i32x4.splat (i32.const 127))) (i32.const 23))))
          (local.set $sum (f32x4.add (local.get $sum) (local.get $d)))
          (v128.store (local.get $out) (local.get $d))
          (local.set $out (i32.add (local.get $out) (i32.const 64)))
          (br_if $exponentials (i32.lt_u (local.tee $tap (i32.add (local.get $tap) (i32.const 4))) (local.get $tapsEnd))))

        (local.set $sum (f32x4.div (f32x4.splat (local.get $share)) (local.get $sum)))
        (local.set $tap (local.get $prior))
        (local.set $out (i32.add (local.get $kernel) (local.get $lane)))
        (loop $normalise
          (v128.store (local.get $out)
            (f32x4.add (f32x4.mul (v128.load (local.get $out)) (local.get $sum)) (v128.load32_splat (local.get $tap))))
          (local.set $out (i32.add (local.get $out) (i32.const 64)))
          (br_if $normalise
            (i32.lt_u (local.tee $tap (i32.add (local.get $tap) (i32.const 4)))
              (i32.add (local.get $prior) (i32.shl (local.get $taps) (i32.const 2))))))

        ;; The next four pixels; after the fourth group, the next block.
        (local.set $lane (i32.and (i32.add (local.get $lane) (i32.const 16)) (i32.const 63)))
        (if (i32.eqz (local.get $lane))
          (then (local.set $kernel (i32.add (local.get $kernel) (i32.shl (local.get $taps) (i32.const 6))))))
        (br_if $groups (i32.lt_u (local.tee $pixel (i32.add (local.get $pixel) (i32.const 16))) (local.get $rowEnd))))
      (local.set $row (i32.add (local.get $row) (local.get $stride)))
      (br_if $rows (local.tee $height (i32.sub (local.get $height) (i32.const 1))))))

  ;; weight / (n Σd² − (Σd)²), 0 where that is 0.
  (func $channelWeight (param $sum v128) (param $squares v128) (param $n v128) (param $weight f32) (result v128)
    (local $spread v128)
    (local.set $sum (i32x4.trunc_sat_f32x4_s (local.get $sum)))
    (local.set $spread
      (f32x4.convert_i32x4_s
        (i32x4.sub
          (i32x4.mul (local.get $n) (i32x4.trunc_sat_f32x4_s (local.get $squares)))
          (i32x4.mul (local.get $sum) (local.get $sum)))))
    (v128.and
      (f32x4.div (f32x4.splat (local.get $weight)) (local.get $spread))
      (f32x4.ne (local.get $spread) (v128.const f32x4 0 0 0 0))))

  ;; to = Σ_tap affinity[tap] · from[pixel + offset[tap]], for every plane.
  (func (export "diffuse")
    (param $from i32) (param $to i32) (param $plane i32) (param $planes i32) (param $stride i32) (param $blocks i32) (param $height i32)
    (param $offsets i32) (param $taps i32) (param $kernel i32)
    (local $row i32) (local $pixel i32) (local $rowEnd i32) (local $toFrom i32) (local $left i32)
    (local $tap i32) (local $tapsEnd i32) (local $address i32) (local $affinity i32) (local $source i32)
    (local $s0 v128) (local $s1 v128) (local $s2 v128) (local $s3 v128)
    (local.set $tapsEnd (i32.add (local.get $offsets) (i32.shl (local.get $taps) (i32.const 2))))
    (local.set $toFrom (i32.sub (local.get $to) (local.get $from)))
    (local.set $row (local.get $from))
    (loop $rows
      (local.set $pixel (local.get $row))
      (local.set $rowEnd (i32.add (local.get $row) (i32.shl (local.get $blocks) (i32.const 6))))
      (loop $columns
        (local.set $source (local.get $pixel))
        (local.set $left (local.get $planes))
        (loop $eachPlane
          (local.set $s0 (v128.const f32x4 0 0 0 0))
          (local.set $s1 (v128.const f32x4 0 0 0 0))
          (local.set $s2 (v128.const f32x4 0 0 0 0))
          (local.set $s3 (v128.const f32x4 0 0 0 0))
          (local.set $tap (local.get $offsets))
          (local.set $affinity (local.get $kernel))
          (loop $eachTap
            (local.set $address (i32.add (local.get $source) (i32.load (local.get $tap))))
            (local.set $s0 (f32x4.add (local.get $s0) (f32x4.mul (v128.load (local.get $affinity)) (v128.load (local.get $address)))))
            (local.set $s1
              (f32x4.add (local.get $s1)
                (f32x4.mul (v128.load offset=16 (local.get $affinity)) (v128.load offset=16 (local.get $address)))))
            (local.set $s2
              (f32x4.add (local.get $s2)
                (f32x4.mul (v128.load offset=32 (local.get $affinity)) (v128.load offset=32 (local.get $address)))))
            (local.set $s3
              (f32x4.add (local.get $s3)
                (f32x4.mul (v128.load offset=48 (local.get $affinity)) (v128.load offset=48 (local.get $address)))))
            (local.set $affinity (i32.add (local.get $affinity) (i32.const 64)))
            (br_if $eachTap (i32.lt_u (local.tee $tap (i32.add (local.get $tap) (i32.const 4))) (local.get $tapsEnd))))
          (local.set $address (i32.add (local.get $source) (local.get $toFrom)))
          (v128.store (local.get $address) (local.get $s0))
          (v128.store offset=16 (local.get $address) (local.get $s1))
          (v128.store offset=32 (local.get $address) (local.get $s2))
          (v128.store offset=48 (local.get $address) (local.get $s3))
          (local.set $source (i32.add (local.get $source) (local.get $plane)))
          (br_if $eachPlane (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (local.set $kernel (local.get $affinity))
        (br_if $columns (i32.lt_u (local.tee $pixel (i32.add (local.get $pixel) (i32.const 64))) (local.get $rowEnd))))
      (local.set $row (i32.add (local.get $row) (local.get $stride)))
      (br_if $rows (local.tee $height (i32.sub (local.get $height) (i32.const 1)))))))
