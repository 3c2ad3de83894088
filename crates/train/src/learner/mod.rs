//! What takes batches and gets better: on Burn's operations, or on the CPU kernels.

mod all_reduce;
mod batch_losses;
mod burn;
mod host;
mod members;
mod reading;
mod step;

pub(crate) use self::{
    burn::BurnLearner,
    host::HostLearner,
    members::{Member, MembersLearner, joined, split},
    step::{Learner, Step},
};
