//! How the time to compile a pipeline grows with its steps. Builds a small crate several times, so
//! it is run by hand: `cargo test -p tidemill-pipeline --test compile_time -- --ignored --nocapture`.
#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a test")]

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A program with a pipeline of so many steps, half of them closures.
fn program(steps: usize) -> String {
    let mut text = String::from(
        "use tidemill_pipeline::{testing::Lines, *};
        struct Stamp(u32);
        impl Step for Stamp {
            fn name(&self) -> &str { \"stamp\" }
            fn version(&self) -> u32 { 1 }
            fn fingerprint(&self) -> Fingerprint { Fingerprint::of(&self.0) }
        }
        impl Stage<String> for Stamp {
            type Out = String;
            async fn run(&self, text: String, _: &Context) -> Result<String> { Ok(text) }
        }
        fn main() {
            let job: Job = Pipeline::named(\"steps\").read(Lines::of([\"a\"]))",
    );
    for n in 0..steps {
        if n % 2 == 0 {
            write!(text, ".map(|t: String| async move {{ Ok(format!(\"{{t}}{n}\")) }})").unwrap();
        } else {
            write!(text, ".then(Stamp({n}))").unwrap();
        }
    }
    text + ".into();\nprintln!(\"{job:?}\"); }"
}

fn build(folder: &Path, steps: usize) -> Duration {
    std::fs::write(folder.join("src/main.rs"), program(steps)).unwrap();
    let begun = Instant::now();
    let done = Command::new(env!("CARGO")).arg("build").current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    begun.elapsed()
}

#[test]
#[ignore = "builds a crate of its own; see the first line"]
fn the_time_to_compile_grows_with_the_steps_and_no_faster() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    let here = env!("CARGO_MANIFEST_DIR");
    let manifest = format!(
        "[package]\nname = \"steps\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         [dependencies]\ntidemill-pipeline = {{ path = {here:?} }}\n\
         [profile.dev]\ndebug = \"line-tables-only\"\n[workspace]\n"
    );
    std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    std::fs::copy(Path::new(here).join("../Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    build(folder.path(), 1); // the dependencies
    let times = [5, 10, 20, 40].map(|steps| {
        // The quicker of two, with another build in between: other work on the machine only adds.
        let once = build(folder.path(), steps);
        build(folder.path(), 2);
        let took = once.min(build(folder.path(), steps));
        println!("{steps:>3} steps: {:.2} s", took.as_secs_f64());
        took.as_secs_f64()
    });
    let [_, ten, twenty, forty] = times;
    let (first, second) = ((twenty - ten) / 10.0, (forty - twenty) / 20.0);
    println!("per step: {first:.3} s from 10 to 20, {second:.3} s from 20 to 40");
    assert!(second <= 2.0 * first.max(0.02), "a step costs more the more there are");
}
