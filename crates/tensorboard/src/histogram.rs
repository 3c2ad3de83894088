use crate::message::Histogram;

/// As many as TensorBoard's own writer makes; its dashboards draw as many.
const BUCKETS: usize = 30;

/// Sums and counts that are kept apart, so that additions need not wait for each other.
const LANES: usize = 16;

/// The finite values in buckets of equal width from the least to the greatest. Equal values make one
/// bucket, no values none.
pub(crate) fn histogram(values: &[f32]) -> Histogram {
    let Moments { num, min, max, sum, sum_squares } = Moments::of(values);
    if num == 0.0 {
        return Histogram::default();
    }
    let (min, max) = (f64::from(min), f64::from(max));
    let (bucket_limit, bucket) = if min == max {
        (vec![max], vec![num])
    } else {
        let width = (max - min) / BUCKETS as f64;
        let inner = (1..BUCKETS).map(|edge| min + edge as f64 * width);
        (inner.chain([max]).collect(), count(values, min, width.recip()).to_vec())
    };
    Histogram { min, max, num, sum, sum_squares, bucket_limit, bucket }
}

/// Of the finite values. The square of an `f32` is exact in an `f64`, and no number of them that fits in
/// memory overflows it.
struct Moments {
    num: f64,
    min: f32,
    max: f32,
    sum: f64,
    sum_squares: f64,
}

impl Moments {
    fn of(values: &[f32]) -> Self {
        let mut num = [0_u64; LANES];
        let mut min = [f32::INFINITY; LANES];
        let mut max = [f32::NEG_INFINITY; LANES];
        let mut sum = [0.0_f64; LANES];
        let mut sum_squares = [0.0_f64; LANES];
        let mut add = |lane: usize, value: f32| {
            let finite = value.is_finite();
            num[lane] += u64::from(finite);
            min[lane] = min[lane].min(if finite { value } else { f32::INFINITY });
            max[lane] = max[lane].max(if finite { value } else { f32::NEG_INFINITY });
            let value = f64::from(if finite { value } else { 0.0 });
            sum[lane] += value;
            sum_squares[lane] += value * value;
        };
        let (chunks, rest) = values.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, &value) in chunk.iter().enumerate() {
                add(lane, value);
            }
        }
        for (lane, &value) in rest.iter().enumerate() {
            add(lane, value);
        }
        Self {
            num: num.iter().sum::<u64>() as f64,
            min: min.into_iter().fold(f32::INFINITY, f32::min),
            max: max.into_iter().fold(f32::NEG_INFINITY, f32::max),
            sum: sum.iter().sum(),
            sum_squares: sum_squares.iter().sum(),
        }
    }
}

/// How many finite values are in each bucket; `per_width` buckets make a width of 1.
fn count(values: &[f32], min: f64, per_width: f64) -> [f64; BUCKETS] {
    const COPIES: usize = 4;
    let mut counts = [[0_u64; BUCKETS]; COPIES];
    let mut add = |copy: usize, value: f32| {
        // The product can round up to `BUCKETS`, for the maximum at the latest.
        let bucket = ((f64::from(value) - min) * per_width) as usize;
        counts[copy][bucket.min(BUCKETS - 1)] += u64::from(value.is_finite());
    };
    let (chunks, rest) = values.as_chunks::<COPIES>();
    for chunk in chunks {
        for (copy, &value) in chunk.iter().enumerate() {
            add(copy, value);
        }
    }
    for &value in rest {
        add(0, value);
    }
    std::array::from_fn(|bucket| counts.iter().map(|copy| copy[bucket]).sum::<u64>() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_in_buckets_of_equal_width() {
        // 0, 1, ... 60: two to each bucket, and the last one holds its right edge too.
        let values: Vec<f32> = (0..=60_u8).map(f32::from).collect();
        let found = histogram(&values);
        assert_eq!((found.min, found.max, found.num), (0.0, 60.0, 61.0));
        assert_eq!((found.sum, found.sum_squares), (1830.0, 73810.0));
        let limits: Vec<f64> = (1..=30_u8).map(|edge| 2.0 * f64::from(edge)).collect();
        assert_eq!(found.bucket_limit, limits);
        let mut counts = vec![2.0; 30];
        counts[29] = 3.0;
        assert_eq!(found.bucket, counts);
    }

    #[test]
    fn sums_are_those_of_f64() {
        // In f32, 2^24 + 1 is 2^24, and the square of either is rounded.
        let found = histogram(&[16_777_216.0, 1.0, 1.0, -3.5]);
        assert_eq!((found.min, found.max), (-3.5, 16_777_216.0));
        assert_eq!((found.sum, found.sum_squares), (16_777_214.5, 281_474_976_710_656.0 + 14.25));
    }

    #[test]
    fn what_is_not_finite_is_counted_nowhere() {
        let [nan, inf] = [f32::NAN, f32::INFINITY];
        let plain: Vec<f32> = (0..100_u8).map(|value| f32::from(value) * 0.5 - 7.0).collect();
        let mixed: Vec<f32> = plain.iter().flat_map(|&value| [nan, value, inf, -inf]).collect();
        assert_eq!(histogram(&mixed).bucket, histogram(&plain).bucket);
        assert_eq!(histogram(&mixed).num, 100.0);
        assert_eq!(histogram(&mixed).sum, 50.0 * 0.5 * 99.0 - 700.0);
        assert_eq!(histogram(&[nan, inf, -inf]), Histogram::default());
    }

    #[test]
    fn no_values_make_no_bucket_and_equal_ones_a_single_one() {
        assert_eq!(histogram(&[]), Histogram::default());
        let found = histogram(&[-2.5; 3]);
        assert_eq!((found.min, found.max, found.num), (-2.5, -2.5, 3.0));
        assert_eq!((found.sum, found.sum_squares), (-7.5, 18.75));
        assert_eq!((found.bucket_limit, found.bucket), (vec![-2.5], vec![3.0]));
    }

    #[test]
    fn the_widest_and_the_narrowest_range_keep_every_value() {
        let least = f32::from_bits(1);
        for values in [
            vec![f32::MIN, f32::MAX, 0.0],
            vec![0.0, least],
            vec![-least, least, f32::MIN_POSITIVE],
            vec![1.0, 1.0 + f32::EPSILON],
            vec![f32::MAX, f32::MAX.next_down()],
        ] {
            let found = histogram(&values);
            assert_eq!(found.bucket.iter().sum::<f64>(), values.len() as f64, "{values:?}");
            assert!(found.bucket_limit.is_sorted_by(|left, right| left < right), "{values:?}");
            assert_eq!(found.bucket_limit[29], found.max);
            assert!(found.sum_squares.is_finite());
        }
    }

    #[test]
    fn each_value_lies_between_the_edges_of_its_bucket() {
        // Any length, so that the rest after whole lanes is met.
        for length in [1, 2, 3, 15, 16, 17, 33, 1000] {
            let values: Vec<f32> = (0..length).map(|row| (row as f32 * 1.7).sin()).collect();
            let found = histogram(&values);
            let mut expected = vec![0.0; found.bucket.len()];
            for &value in &values {
                let limits = &found.bucket_limit;
                let at = limits.partition_point(|&limit| limit <= f64::from(value));
                expected[at.min(limits.len() - 1)] += 1.0;
            }
            assert_eq!(found.bucket, expected);
            let sum = values.iter().map(|&value| f64::from(value)).sum::<f64>();
            assert!((found.sum - sum).abs() < 1e-12);
        }
    }
}
