pub(crate) mod devices;
