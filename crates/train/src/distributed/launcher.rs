/// Open MPI; MPICH, Intel MPI and Slurm's PMI; MVAPICH.
const SIZES: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"];

/// How many processes a launcher has started, if its environment says so.
pub fn launched_ranks() -> Option<usize> {
    launched(|name| std::env::var(name).ok())
}

fn launched(variable: impl Fn(&str) -> Option<String>) -> Option<usize> {
    SIZES.into_iter().find_map(|name| variable(name)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_are_told_by_their_variables() {
        let of =
            |name: &str, value: &str| launched(|asked| (asked == name).then(|| value.to_owned()));
        assert_eq!(of("OMPI_COMM_WORLD_SIZE", "4"), Some(4));
        assert_eq!(of("PMI_SIZE", "2"), Some(2));
        assert_eq!(of("MV2_COMM_WORLD_SIZE", " 8\n"), Some(8));
        assert_eq!(of("PMI_SIZE", "many"), None);
        assert_eq!(of("SHELL", "4"), None);
    }
}
