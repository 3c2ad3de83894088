/// What connects the processes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Network {
    /// Bytes per second from one process to the next, above 0.
    pub bandwidth: f64,
    /// Seconds that a message takes beside that.
    pub latency: f64,
}

/// What decides how well several processes train a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Numbers that all processes add up in each iteration.
    pub parameters: usize,
    /// Of the whole batch, at least 1.
    pub batch_size: usize,
    /// What one process trains alone, above 0.
    pub rows_per_second: f64,
    /// What connects them.
    pub network: Network,
}

/// How well so many processes train.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Scaling {
    /// How many.
    pub ranks: usize,
    /// Rows of a batch that each of them takes.
    pub rows_per_rank: f64,
    /// Seconds of an iteration in which they compute.
    pub compute: f64,
    /// Seconds in which they exchange gradients.
    pub exchange: f64,
    /// The share of the time in which they compute, in (0, 1].
    pub efficiency: f64,
    /// How much faster than one they are.
    pub speedup: f64,
}

impl Plan {
    /// What an all-reduce in a ring costs: each process sends and receives `2(N−1)/N` of the gradient, of 4
    /// bytes a parameter, in `2(N−1)` messages one after the other (Patarasuk & Yuan 2009, section 3):
    ///
    /// `efficiency = compute / (compute + 2(N−1)/N · 4P/W + 2(N−1) · latency)`
    ///
    /// Rows that are divided unevenly, and what each process does for itself, are left out.
    pub fn scaling(&self, ranks: usize) -> Scaling {
        let n = ranks as f64;
        let compute = self.batch_size as f64 / n / self.rows_per_second;
        let bytes = 4.0 * self.parameters as f64;
        let exchange = 2.0 * (n - 1.0) / n * bytes / self.network.bandwidth
            + 2.0 * (n - 1.0) * self.network.latency;
        let efficiency = compute / (compute + exchange);
        let rows_per_rank = self.batch_size as f64 / n;
        Scaling { ranks, rows_per_rank, compute, exchange, efficiency, speedup: n * efficiency }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn efficiency_is_what_the_formula_gives() {
        // A megabyte of gradient over 1 GB/s, 50 µs a message, and 10 ms of computing for one.
        let network = Network { bandwidth: 1e9, latency: 50e-6 };
        let plan = Plan { parameters: 250_000, batch_size: 1000, rows_per_second: 1e5, network };
        let one = plan.scaling(1);
        assert_eq!((one.exchange, one.efficiency, one.speedup), (0.0, 1.0, 1.0));
        let four = plan.scaling(4);
        // 2 · 3/4 · 1 ms, and 6 · 50 µs.
        assert!((four.exchange - 1.8e-3).abs() < 1e-12, "{four:?}");
        assert!((four.efficiency - 2.5 / 4.3).abs() < 1e-12, "{four:?}");
        assert!((four.speedup - 10.0 / 4.3).abs() < 1e-12, "{four:?}");
        assert_eq!(four.rows_per_rank, 250.0);
    }
}
