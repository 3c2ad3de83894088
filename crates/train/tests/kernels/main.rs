//! The kernels and Burn's operations give the same numbers.
//!
//! Here and not in `kiln-kernels`, whose tests are compiled at its own level of optimization: Burn's generic code
//! took 66 s there, against 3 s for what else is tested.

mod run;
mod step;
