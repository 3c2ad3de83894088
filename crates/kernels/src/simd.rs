//! The processor's instruction set, chosen at run time.
//!
//! The kernels are plain Rust that the compiler turns into vector instructions of whatever set it is
//! compiled for, so each is compiled once for each set.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m256;

#[cfg(target_arch = "x86_64")]
use pulp::x86::{V3, V4};
use pulp::{Arch, NullaryFnOnce};

/// What the kernels need to know of an instruction set. A value of it is the proof that the processor
/// has it.
pub(crate) trait Simd: Copy {
    /// It multiplies and adds in one instruction. Where it does not, `mul_add` would be a slow
    /// function call.
    const FMA: bool;
    /// Rows of a whole tile of the matrix products, whose sums have to fit into the registers beside
    /// one lane of the right factor and an element of the left.
    const TILE_ROWS: usize;

    /// The columns of a matrix from its rows.
    #[inline(always)]
    fn transpose(self, rows: [[f32; 8]; 8]) -> [[f32; 8]; 8] {
        std::array::from_fn(|column| rows.map(|row| row[column]))
    }
}

/// 16 registers of 8 numbers.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx2(V3);

#[cfg(target_arch = "x86_64")]
impl Simd for Avx2 {
    const FMA: bool = true;
    const TILE_ROWS: usize = 6;

    #[inline(always)]
    fn transpose(self, rows: [[f32; 8]; 8]) -> [[f32; 8]; 8] {
        transpose(self.0, rows)
    }
}

/// 32 registers of 16 numbers. Eight sums are enough to hide an addition's latency.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx512(V4);

#[cfg(target_arch = "x86_64")]
impl Simd for Avx512 {
    const FMA: bool = true;
    const TILE_ROWS: usize = 8;

    #[inline(always)]
    fn transpose(self, rows: [[f32; 8]; 8]) -> [[f32; 8]; 8] {
        transpose(*self.0, rows)
    }
}

/// From plain code the compiler makes 64 moves of single numbers.
///
/// Written out, without closures or loops over arrays: what is not inlined is not compiled for the set.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn transpose(simd: V3, rows: [[f32; 8]; 8]) -> [[f32; 8]; 8] {
    let [a, b, c, d, e, f, g, h] = pulp::cast::<_, [__m256; 8]>(rows);
    let [a, b, c, d] = columns_of_four(simd, a, b, c, d);
    let [e, f, g, h] = columns_of_four(simd, e, f, g, h);
    let avx = simd.avx;
    pulp::cast([
        avx._mm256_permute2f128_ps::<0x20>(a, e),
        avx._mm256_permute2f128_ps::<0x20>(b, f),
        avx._mm256_permute2f128_ps::<0x20>(c, g),
        avx._mm256_permute2f128_ps::<0x20>(d, h),
        avx._mm256_permute2f128_ps::<0x31>(a, e),
        avx._mm256_permute2f128_ps::<0x31>(b, f),
        avx._mm256_permute2f128_ps::<0x31>(c, g),
        avx._mm256_permute2f128_ps::<0x31>(d, h),
    ])
}

/// Four numbers of the columns 0 and 4, 1 and 5, 2 and 6, 3 and 7.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn columns_of_four(simd: V3, a: __m256, b: __m256, c: __m256, d: __m256) -> [__m256; 4] {
    let avx = simd.avx;
    let (ab_low, ab_high) = (avx._mm256_unpacklo_ps(a, b), avx._mm256_unpackhi_ps(a, b));
    let (cd_low, cd_high) = (avx._mm256_unpacklo_ps(c, d), avx._mm256_unpackhi_ps(c, d));
    [
        avx._mm256_shuffle_ps::<0b01_00_01_00>(ab_low, cd_low),
        avx._mm256_shuffle_ps::<0b11_10_11_10>(ab_low, cd_low),
        avx._mm256_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high),
        avx._mm256_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high),
    ]
}

/// 32 registers of 4 numbers.
#[cfg(any(test, target_arch = "aarch64"))]
#[derive(Clone, Copy)]
pub(crate) struct Neon;

#[cfg(any(test, target_arch = "aarch64"))]
impl Simd for Neon {
    const FMA: bool = true;
    const TILE_ROWS: usize = 6;
}

/// Any other.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

impl Simd for Plain {
    const FMA: bool = false;
    const TILE_ROWS: usize = 6;
}

/// Code that is compiled once for each instruction set, and all that it calls with it: what it calls
/// must be `#[inline(always)]`.
pub(crate) trait Kernel {
    /// What it does.
    fn run<S: Simd>(self, simd: S);
}

/// Runs a kernel with the best instruction set that this processor has.
pub(crate) fn dispatch(kernel: impl Kernel) {
    struct Task<K, S>(K, S);
    impl<K: Kernel, S: Simd> NullaryFnOnce for Task<K, S> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            self.0.run(self.1);
        }
    }
    match Arch::new() {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(simd) => simd.vectorize(Task(kernel, Avx512(simd))),
        #[cfg(target_arch = "x86_64")]
        Arch::V3(simd) => simd.vectorize(Task(kernel, Avx2(simd))),
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(simd) => simd.vectorize(Task(kernel, Neon)),
        _ => kernel.run(Plain),
    }
}

/// a·b + c.
#[inline(always)]
pub(crate) fn mul_add<S: Simd>(a: f32, b: f32, c: f32) -> f32 {
    if S::FMA { a.mul_add(b, c) } else { a * b + c }
}
