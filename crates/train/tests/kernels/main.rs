//! The kernels and Burn's operations give the same numbers.
//!
//! Here and not in `kiln-kernels`, whose tests are compiled at its own level of optimization: Burn's generic code
//! took 66 s there, and each of the other two programs of tests 3 to 4 s.

mod run;
mod step;
