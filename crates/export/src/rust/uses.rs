/// The functions that the file needs.
#[derive(Debug, Default)]
pub(super) struct Uses {
    pub(super) number: bool,
    pub(super) clip: bool,
    pub(super) standardize: bool,
    pub(super) bins: bool,
    pub(super) category: bool,
    pub(super) sqrt: bool,
    pub(super) polynomial: bool,
    pub(super) exp: bool,
    pub(super) sigmoid: bool,
    pub(super) tanh: bool,
    pub(super) normal: bool,
    pub(super) softplus: bool,
    pub(super) mish: bool,
}
