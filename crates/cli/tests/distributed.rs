//! Several processes that MPI connects. `cargo test --features mpi --test distributed` runs all of it; it needs
//! Open MPI, and without `mpirun` is skipped with a notice.

mod common;

#[cfg(not(feature = "mpi"))]
use common::{Folder, good};

#[cfg(not(feature = "mpi"))]
#[test]
fn without_mpi_a_run_does_not_begin_alone() {
    let folder = Folder::new();
    folder.write("good.csv", good());
    folder.fails(
        "train good.csv --target class -o m -q --engine mpi",
        "the engine mpi is not compiled in; build with `--features mpi`, which needs an MPI library and \
         libclang (on Debian: `apt install libopenmpi-dev libclang-dev`)",
    );
}

#[cfg(feature = "mpi")]
mod with_mpi {
    use std::{
        env, fs,
        io::Read,
        path::{Path, PathBuf},
        process::{Child, Command, Stdio},
        sync::Arc,
        thread,
        time::{Duration, Instant},
    };

    use arrow_array::{ArrayRef, RecordBatch, UInt8Array};
    use kiln::{
        data::read_idx,
        train::{
            Ranks,
            distributed::{Mpi, Start},
        },
    };
    use parquet::arrow::ArrowWriter;
    use serde_json::Value;

    use super::common::{Folder, Run, good, shared};

    /// What ends a run that hangs; no run takes a tenth of it.
    const HANGS: Duration = Duration::from_secs(120);

    /// Several programs with words parted by blanks, each with how many processes of it there are to be.
    fn mpirun(folder: &Folder, programs: &[(usize, &Path, &str)]) -> Command {
        let mut command = Command::new("mpirun");
        command.args(["--oversubscribe", "--bind-to", "none"]);
        for (at, (count, program, args)) in programs.iter().enumerate() {
            if at > 0 {
                command.arg(":");
            }
            command.args(["-np", &count.to_string()]).arg(program).args(args.split_whitespace());
        }
        command.current_dir(folder.path("")).env("NO_COLOR", "1").stdin(Stdio::null());
        // Open MPI does not run as root unless told so twice, which a container does.
        command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn kiln() -> &'static Path {
        Path::new(env!("CARGO_BIN_EXE_kiln"))
    }

    /// Whether there is a launcher; with a notice if not.
    fn is_there() -> bool {
        let found = Command::new("mpirun").arg("--version").output().is_ok();
        assert!(found || env::var_os("KILN_ALL_BACKENDS").is_none(), "there is no mpirun");
        if !found {
            eprintln!("skipped: there is no mpirun");
        }
        found
    }

    fn ended(mut child: Child) -> Run {
        fn all(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
            thread::spawn(move || {
                let mut text = Vec::new();
                from.read_to_end(&mut text).expect("reads");
                String::from_utf8_lossy(&text).into_owned()
            })
        }
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (stdout, stderr) = (all(stdout), all(stderr));
        let started = Instant::now();
        let status = loop {
            match child.try_wait().expect("waits") {
                Some(status) => break status,
                None if started.elapsed() > HANGS => {
                    let _ = child.kill();
                    panic!("hangs: {}", stderr.join().unwrap());
                }
                None => thread::sleep(Duration::from_millis(20)),
            }
        };
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        Run { code: status.code(), stdout, stderr }
    }

    fn run(folder: &Folder, ranks: usize, args: &str) -> Run {
        ended(mpirun(folder, &[(ranks, kiln(), args)]).spawn().expect("mpirun starts"))
    }

    #[track_caller]
    fn succeeds(folder: &Folder, ranks: usize, args: &str) -> Run {
        let run = run(folder, ranks, args);
        assert_eq!(run.code, Some(0), "{ranks} ranks, kiln {args}: {}", run.stderr);
        run
    }

    /// The numbers of a model file.
    fn weights(folder: &Folder, model: &str) -> Vec<f32> {
        let bytes = fs::read(folder.path(model)).expect("a model");
        let archive = kiln::store::decode(&bytes, "kiln", kiln::classifier::FORMAT_VERSION);
        let tensors = archive.expect("a model").tensors.into_values();
        tensors.flat_map(|data| data.iter::<f32>().collect::<Vec<_>>()).collect()
    }

    fn far(a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    /// Trains in one process without MPI, and in several with it.
    #[track_caller]
    fn all_end_alike(folder: &Folder, args: &str, least_iterations: u64, ranks: &[usize]) {
        // One network, as several processes train.
        folder.succeeds(&format!("train {args} --preset fast -o alone -q --history alone.jsonl"));
        let history = folder.read("alone.jsonl");
        let last: Value = serde_json::from_str(history.lines().last().unwrap()).unwrap();
        assert!(last["iterations"].as_u64().unwrap() >= least_iterations, "{last}");
        let expected = weights(folder, "alone");
        for &ranks in ranks {
            succeeds(
                folder,
                ranks,
                &format!("train {args} --preset fast -o together -q --engine mpi"),
            );
            let far = far(&weights(folder, "together"), &expected);
            assert!(far < 1e-5, "{ranks} ranks, {args}: {far}");
        }
    }

    /// The first rows of MNIST, as Parquet.
    fn mnist(rows: usize) -> Option<(Folder, PathBuf)> {
        let images = shared("KILN_DATA_DIR", "mnist")?;
        let [images, labels] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"].map(|name| {
            let plain = images.join(name);
            let path = if plain.exists() { plain } else { images.join(format!("{name}.gz")) };
            read_idx(&path).expect("MNIST")
        });
        let column = |values: Vec<u8>| Arc::new(UInt8Array::from(values)) as ArrayRef;
        let pixels = (0..784).map(|pixel| {
            let values = (0..rows).map(|row| images.values[784 * row + pixel]).collect();
            (format!("p{pixel}"), column(values))
        });
        let class = ("class".to_owned(), column(labels.values[..rows].to_vec()));
        let batch = RecordBatch::try_from_iter(pixels.chain([class])).unwrap();
        let folder = Folder::new();
        let path = folder.path("mnist.parquet");
        let file = fs::File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        Some((folder, path))
    }

    #[test]
    fn mnist_is_trained_as_in_one_process() {
        if !is_there() {
            return;
        }
        let Some((folder, _)) = mnist(3000) else { return };
        let args = "mnist.parquet --target class --epochs 10 --batch-size 125 --keep last";
        all_end_alike(&folder, &format!("{args} --backend ndarray"), 200, &[1, 2, 3]);
        // By Burn's operations, not by the kernels.
        let args = format!("{args} --normalization layer --hidden 32 --learning-rate 1e-4");
        all_end_alike(&folder, &format!("{args} --backend ndarray"), 200, &[2, 3]);
    }

    #[cfg(feature = "wgpu")]
    #[test]
    fn a_gpu_is_trained_on_as_in_one_process() {
        if !is_there() {
            return;
        }
        let folder = Folder::new();
        folder.write("good.csv", good());
        let args = "good.csv --target class --epochs 3 --hidden 8 --batch-size 8 --backend wgpu \
                    --optimizer momentum --learning-rate 0.01";
        all_end_alike(&folder, args, 10, &[2]);
    }

    #[test]
    fn a_table_with_categories_is_trained_as_in_one_process() {
        let Some(tables) = shared("KILN_TABULAR_DIR", "tabular") else { return };
        if !is_there() {
            return;
        }
        let folder = Folder::new();
        fs::copy(tables.join("adult-test.csv"), folder.path("adult.csv")).unwrap();
        // Adam divides by the size of a gradient: where it is all but 0, by rounding.
        let optimizer = "--optimizer momentum --learning-rate 0.01 --keep last";
        let args = format!(
            "adult.csv --target last --epochs 8 --batch-size 500 {optimizer} --backend ndarray"
        );
        all_end_alike(&folder, &args, 200, &[1, 2, 3]);
        all_end_alike(&folder, &format!("{args} --stream"), 200, &[2, 3]);
    }

    #[test]
    fn only_the_first_rank_prints_and_writes() {
        if !is_there() {
            return;
        }
        let folder = Folder::new();
        folder.write("good.csv", good());
        let args = "train good.csv --target class -o m --epochs 3 --engine mpi --backend ndarray --json --report r.html \
                    --tensorboard t --history h.csv --checkpoint-dir c";
        let run = succeeds(&folder, 3, args);
        let summary: Value = serde_json::from_str(&run.stdout).expect("one summary");
        assert_eq!(summary["epochs"], 3);
        assert_eq!(run.stderr.matches("with a header, 60 rows").count(), 1, "{}", run.stderr);
        assert_eq!(folder.names(), ["c", "good.csv", "h.csv", "m", "r.html", "t"]);
        assert_eq!(folder.read("h.csv").lines().count(), 4);
    }

    #[test]
    fn an_error_of_one_rank_ends_all() {
        if !is_there() {
            return;
        }
        let folder = Folder::new();
        folder.write("good.csv", good());
        folder.write("other.csv", good().replace("1.5", "1.75"));
        let train =
            |file| format!("train {file} --target class -o m -q --engine mpi --backend ndarray");
        let (good, missing, other) = (train("good.csv"), train("missing.csv"), train("other.csv"));
        // One of them: of two, either may end the other before it has spoken.
        let programs = [(2, kiln(), good.as_str()), (1, kiln(), missing.as_str())];
        let run = ended(mpirun(&folder, &programs).spawn().unwrap());
        assert_ne!(run.code, Some(0));
        let message = "error: rank 2: missing.csv: no such file\n";
        assert!(run.stderr.contains(message), "{}", run.stderr);

        let programs = [(2, kiln(), good.as_str()), (1, kiln(), other.as_str())];
        let run = ended(mpirun(&folder, &programs).spawn().unwrap());
        assert_ne!(run.code, Some(0));
        let message = "error: the data and settings of rank 2 are not those of rank 0\n";
        assert_eq!(run.stderr.matches(message).count(), 1, "{}", run.stderr);

        // What all have found is told once.
        let run = self::run(&folder, 3, &missing);
        assert_ne!(run.code, Some(0));
        assert_eq!(run.stderr.matches("error: ").count(), 1, "{}", run.stderr);
        assert_eq!(folder.names(), ["good.csv", "other.csv"]);
    }

    #[test]
    fn a_wrong_number_of_ranks_is_refused() {
        if !is_there() {
            return;
        }
        let folder = Folder::new();
        folder.write("good.csv", good());
        let args = "train good.csv --target class -o m -q --engine mpi --backend ndarray";
        let run = self::run(&folder, 2, &format!("{args} --expect-ranks 3"));
        assert_ne!(run.code, Some(0));
        assert!(run.stderr.contains("error: MPI connects 2 of 3 processes"), "{}", run.stderr);
        // As an MPI library sees it that another launcher has started: each process is alone.
        let mut command = Command::new(kiln());
        command.args(args.split_whitespace()).current_dir(folder.path("")).env("PMI_SIZE", "4");
        let run = command.output().expect("kiln runs");
        assert_eq!(run.status.code(), Some(1));
        let stderr = String::from_utf8_lossy(&run.stderr);
        assert!(stderr.contains("error: MPI connects 1 of 4 processes"), "{stderr}");

        folder.fails(
            args,
            "no launcher has started this process; start it with `mpirun -np N kiln …`, or say \
             `--expect-ranks 1` for a single one",
        );
        folder.succeeds(&format!("{args} --expect-ranks 1 --epochs 1"));
    }

    #[test]
    fn standard_input_is_one_processes() {
        if !is_there() {
            return;
        }
        let run = run(&Folder::new(), 2, "train - --target class -o m -q --engine mpi");
        assert_ne!(run.code, Some(0));
        let message = "error: - is standard input, which one rank only can read; expected a file\n";
        assert_eq!(run.stderr.matches(message).count(), 1, "{}", run.stderr);
    }

    /// The processes of `kiln` that a launcher has started.
    fn children(of: &Child) -> Vec<u32> {
        let path = format!("/proc/{0}/task/{0}/children", of.id());
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace().map(|pid| pid.parse().expect("a process")).collect()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_rank_that_is_killed_ends_all_and_the_run_goes_on_with_others() {
        if !is_there() {
            return;
        }
        let folder = Folder::new();
        folder.write("good.csv", good().repeat(20).replace("\na,b,class\n", "\n"));
        // Long enough to be killed in.
        let args = "train good.csv --target class -q --engine mpi --epochs 150 --batch-size 16 --keep last \
                    --optimizer momentum --learning-rate 0.01 --json --backend ndarray";
        let checkpoints = "--checkpoint-dir c --checkpoint-every 20iterations --resume auto";
        let accuracy = |run: Run| {
            let summary: Value = serde_json::from_str(&run.stdout).expect("a summary");
            assert_eq!(summary["epochs"], 150);
            summary["valid"]["accuracy"].as_f64().expect("a number")
        };
        let expected = accuracy(succeeds(&folder, 2, &format!("{args} -o whole")));
        for (ranks, killed) in [(2, 1), (3, 0)] {
            let args = format!("{args} -o m {checkpoints}");
            let child = mpirun(&folder, &[(ranks, kiln(), args.as_str())]).spawn().unwrap();
            // The iteration of the newest checkpoint: its name ends in it.
            let newest = || {
                let names = fs::read_dir(folder.path("c")).into_iter().flatten();
                let names = names.map(|name| name.unwrap().file_name().into_string().unwrap());
                let iteration = |name: String| -> Option<u64> {
                    name.strip_suffix(".safetensors")?.rsplit('-').next()?.parse().ok()
                };
                names.filter_map(iteration).max().unwrap_or(0)
            };
            let (before, started) = (newest(), Instant::now());
            // At whichever iteration it is by then.
            while newest() <= before + 100 {
                assert!(started.elapsed() < HANGS, "no checkpoint is written");
                thread::sleep(Duration::from_millis(1));
            }
            let of_launcher = children(&child);
            assert_eq!(of_launcher.len(), ranks, "{of_launcher:?}");
            let kill = Command::new("kill").args(["-9", &of_launcher[killed].to_string()]).status();
            assert!(kill.expect("kill runs").success());
            assert_ne!(ended(child).code, Some(0));
            assert!(!folder.path("m").exists());
        }
        let run = succeeds(&folder, 1, &format!("{args} -o m {checkpoints}"));
        assert_eq!(accuracy(run), expected);
        let far = far(&weights(&folder, "m"), &weights(&folder, "whole"));
        assert!(far < 1e-3, "{far}");
    }

    /// What this program does as one of several processes, which the tests below start.
    #[test]
    fn role() {
        let Ok(role) = env::var("KILN_TEST_ROLE") else { return };
        let start = Start { ranks: None, timeout: Duration::from_secs(2) };
        let work = |mpi: &Mpi| -> Result<(), String> {
            match (role.as_str(), mpi.rank()) {
                ("panics", 1) => panic!("a rank panics"),
                ("hangs", 1) => thread::sleep(HANGS),
                _ => {}
            }
            let mut numbers = [1.0, mpi.rank() as f32];
            mpi.sum(&mut numbers);
            assert_eq!(numbers, [3.0, 3.0]);
            let mut bytes = vec![mpi.rank() as u8; 3 + mpi.rank()];
            mpi.broadcast(&mut bytes);
            assert_eq!(bytes, [0; 3]);
            assert_eq!((mpi.size(), mpi.local_rank()), (3, mpi.rank()));
            Ok(())
        };
        Mpi::run(start, work, |error| (error.clone(), 1)).expect("three processes");
    }

    fn in_role(role: &str) -> Run {
        let program = env::current_exe().expect("this program");
        let args = "--exact with_mpi::role --nocapture";
        let folder = Folder::new();
        let mut command = mpirun(&folder, &[(3, program.as_path(), args)]);
        ended(command.env("KILN_TEST_ROLE", role).spawn().unwrap())
    }

    #[test]
    fn ranks_add_up_and_hand_over() {
        if is_there() {
            let run = in_role("works");
            assert_eq!(run.code, Some(0), "{}", run.stderr);
        }
    }

    #[test]
    fn a_rank_that_panics_ends_all() {
        if is_there() {
            let run = in_role("panics");
            assert_ne!(run.code, Some(0));
            assert!(run.stderr.contains("a rank panics"), "{}", run.stderr);
        }
    }

    #[test]
    fn a_rank_that_hangs_is_not_waited_for() {
        if is_there() {
            let run = in_role("hangs");
            assert_ne!(run.code, Some(0));
            assert!(run.stderr.contains("has waited 2 s for the other ranks"), "{}", run.stderr);
        }
    }
}
