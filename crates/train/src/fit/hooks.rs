use crate::{checkpoint::Checkpoints, observer::Observer, ranks::Ranks};

/// What accompanies a run.
#[derive(Default)]
pub struct Hooks<'a, 'b> {
    /// They hear of every event.
    pub observers: &'a mut [&'b mut dyn Observer],
    /// They are kept, and the run goes on from the newest.
    pub checkpoints: Option<&'a mut Checkpoints>,
    /// The processes that train together; `None` if this one trains alone.
    pub ranks: Option<&'a dyn Ranks>,
}
